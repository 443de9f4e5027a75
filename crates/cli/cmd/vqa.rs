//! `toolkit vqa`: questions about a picture file.

use crate::context::Context;
use crate::decoding::Search;
use crate::opened::{Purpose, Which, best};
use crate::out;
use anyhow::bail;
use clap::Args as Arguments;
use serde_json::json;
use std::path::PathBuf;

/// Answers questions about a picture with a run, a published checkpoint or a model card
#[derive(Arguments)]
#[command(after_help = "\
Examples:
  toolkit vqa runs/ablate_stage1 photo.png --question 'what is in the middle?'
  toolkit vqa blip2-flan-t5-xl/ photo.png --question 'how many cats are there?' --json
  toolkit vqa blip2-opt-2.7b/ photo.png --question 'where is it?' --prompt 'Question: {} Short answer:'")]
pub struct Args {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    search: Search,
    /// Picture file
    image: PathBuf,
    /// A question; may be given several times
    #[arg(long, value_name = "TEXT", required = true)]
    question: Vec<String>,
    /// The prompt with {} for the question [default: as the task card of a run says; the paper's for published models]
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
}

/// Takes the prompt that was asked for, or the model's own.
///
/// # Errors
/// If it has no place for the question, which then would never be asked.
pub fn chosen_prompt(wanted: Option<&String>, default: String) -> anyhow::Result<String> {
    let Some(wanted) = wanted else { return Ok(default) };
    if !wanted.contains("{}") {
        bail!("`--prompt` has no {{}} for the question --> `{wanted}`; hint: write 'Question: {{}} Answer:'");
    }
    Ok(wanted.clone())
}

/// Runs the command.
///
/// # Errors
/// If the picture, weights or the checkpoint cannot be used.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let opened = args.which.open(context, Purpose::Speak)?;
    let (prompt, decoding) = opened.vqa(context)?;
    let prompt = chosen_prompt(args.prompt.as_ref(), prompt)?;
    let prompts: Vec<String> = args.question.iter().map(|question| prompt.replace("{}", question.trim())).collect();
    let written = opened.ask(&args.image, &prompts, &args.search.over(decoding))?;
    let mut answers = Vec::new();
    for ((question, prompt), texts) in args.question.iter().zip(&prompts).zip(&written) {
        let answer = best(texts)?;
        answers.push(json!({
            "image": args.image, "of": opened.of, "question": question, "prompt": prompt,
            "text": answer.text, "ids": answer.ids, "score": answer.score, "finished": answer.finished, "answers": texts,
        }));
    }
    context.print(
        || if answers.len() == 1 { answers[0].clone() } else { answers.clone().into() },
        || written.iter().flatten().map(|answer| format!("{}\n", out::shown(&answer.text))).collect(),
    )
}
