//! `toolkit score vqa`.

use crate::context::Context;
use crate::text::table;
use clap::Args as Arguments;
use serde_json::json;
use std::path::PathBuf;
use toolkit_eval::official::VqaFiles;
use toolkit_eval::write_samples;
use toolkit_train::Progress;

/// Scores answers as the official VQA tool does: accuracy in percent, by type of answer and of question
///
/// Answers are normalised as there (punctuation, number words, articles, contractions), quirks included.
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
    /// Right answers: {"annotations": [{"question_id", "question_type", "answer_type", "answers": [{"answer"}]}]}
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
    let task = context.log.task("answers: reading, scoring");
    task.start(0, 2);
    let files = VqaFiles::read(&args.questions, &args.annotations, &args.results, args.partial)?;
    task.advance(1);
    let score = files.score();
    task.advance(1);
    task.finish();
    context.log.line(&format!("{} questions", files.len()));
    if let Some(path) = &args.samples {
        write_samples(path, &files.each().collect::<Vec<_>>())?;
    }
    let line = |name: String, value: f64| vec![name, format!("{value:.2}")];
    let mut rows = vec![line("overall".to_owned(), score.overall)];
    rows.extend(score.per_answer_type.iter().map(|(name, value)| line(format!("answer type: {name}"), *value)));
    rows.extend(score.per_question_type.iter().map(|(name, value)| line(format!("question type: {name}"), *value)));
    context.print(
        || {
            json!({
                "overall": score.overall,
                "perAnswerType": score.per_answer_type,
                "perQuestionType": score.per_question_type,
            })
        },
        || table(&["accuracy", "%"], &rows),
    )
}
