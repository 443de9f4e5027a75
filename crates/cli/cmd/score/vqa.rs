//! `toolkit score vqa`.

use crate::context::Context;
use crate::text::{decimals, table};
use clap::Args as Arguments;
use serde_json::json;
use std::path::PathBuf;
use toolkit_eval::official::VqaFiles;
use toolkit_eval::write_samples;

/// Scores answers as the official VQA tool does: accuracy in percent, by type of answer and of
/// question
///
/// Answers are normalised as the official tool does it, quirks included: punctuation, number
/// words, articles, contractions.
#[derive(Arguments)]
#[command(after_help = "\
Examples:
  toolkit score vqa --questions v2_OpenEnded_mscoco_val2014_questions.json \\
    --annotations v2_mscoco_val2014_annotations.json --results mine.json
  toolkit score vqa --questions q.json --annotations a.json --results mine.json --partial --json")]
pub struct Args {
    /// Questions: {"questions": [{"question_id", "image_id", "question"}]}
    #[arg(long, value_name = "FILE")]
    questions: PathBuf,
    /// Right answers: {"annotations": [{"question_id", "answers": [{"answer"}]}]}, with
    /// "question_type" and "answer_type" if they are known
    #[arg(long, value_name = "FILE")]
    annotations: PathBuf,
    /// Answers: [{"question_id", "answer"}], one for each question
    #[arg(long, value_name = "FILE")]
    results: PathBuf,
    /// Leave out questions without a result
    #[arg(long)]
    partial: bool,
    /// Write each answer with its accuracy to a JSON Lines file
    #[arg(long, value_name = "FILE")]
    samples: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// If a file cannot be read, is malformed, or does not go with the others.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let files = VqaFiles::read(&args.questions, &args.annotations, &args.results, args.partial)?;
    context.log.line(&format!("{} questions", files.len()));
    let score = files.score();
    if let Some(path) = &args.samples {
        write_samples(path, files.each())?;
    }
    let line = |name: String, value: f64| vec![name, decimals(value, 2)];
    let mut rows = vec![line("overall".to_owned(), score.overall.unwrap_or(f64::NAN))];
    rows.extend(
        score
            .per_answer_type
            .iter()
            .map(|(name, value)| line(format!("answer type: {name}"), *value)),
    );
    rows.extend(
        score
            .per_question_type
            .iter()
            .map(|(name, value)| line(format!("question type: {name}"), *value)),
    );
    let mut found = json!({ "overall": score.overall });
    for (key, by) in
        [("perAnswerType", &score.per_answer_type), ("perQuestionType", &score.per_question_type)]
    {
        if !by.is_empty() {
            found[key] = json!(by);
        }
    }
    super::print(context, found, &files.notes(), || table(&["accuracy", "%"], &rows))
}
