//! `toolkit vqa`: a question about a picture file, answered by a trained bridge.

use crate::context::Context;
use crate::trained::{Search, Which, speak};
use clap::Args as Arguments;
use serde_json::json;
use std::path::PathBuf;
use toolkit_eval::VqaTask;
use toolkit_registry::Kind;

/// Answers a question about a picture with what a run trained
#[derive(Arguments)]
#[command(after_help = "\
Examples:
  toolkit vqa --run runs/ablate_stage1 photo.png --question 'what is in the middle?'
  toolkit vqa --run runs/ablate_stage1 photo.png --question 'how many cats are there?' --json")]
pub struct Args {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    search: Search,
    /// Picture file: png, jpeg, webp
    image: PathBuf,
    /// The question; questions of the data are in lower case and end with `?`
    #[arg(long, value_name = "TEXT")]
    question: String,
}

/// Runs the command.
///
/// # Errors
/// If the picture, weights or the checkpoint cannot be used.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let cell = args.which.cell(context)?;
    let task =
        VqaTask::from_card(&context.registry.card(Kind::Task, &cell.spec.eval.vqa)?, &[&cell.resolved.language.0])?;
    let prompt = task.prompt.replace("{}", args.question.trim());
    let images = std::slice::from_ref(&args.image);
    let written = speak(context, &args.which, &cell, images, &prompt, &args.search.over(task.decoding))?;
    let answer = &written[0];
    context.print(
        || {
            json!({
                "image": args.image, "cell": cell.id, "question": args.question, "prompt": prompt,
                "text": answer.text, "ids": answer.ids, "score": answer.score, "finished": answer.finished,
            })
        },
        || format!("{}\n", answer.text),
    )
}
