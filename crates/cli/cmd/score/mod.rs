//! `toolkit score`: files of captions and answers, scored by the official metrics.

mod captions;
mod vqa;

use crate::context::Context;
use clap::{Args as Arguments, Subcommand};

/// Scores files of captions or answers as the official tools do, without Java and without a model
///
/// Keys and units are those of the official tools: captions have shares from 0 to 1 and CIDEr from
/// 0 to 10, answers have percent. `toolkit eval` and runs write percent, but for CIDEr.
#[derive(Arguments)]
#[command(after_help = "\
Examples:
  toolkit score captions --annotations coco_karpathy_test_gt.json --results mine.json
  toolkit score vqa --questions q.json --annotations a.json --results mine.json --json")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Captions(captions::Args),
    Vqa(vqa::Args),
}

/// Runs the command.
///
/// # Errors
/// If a file cannot be read, is malformed, or does not go with the others.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    match &args.what {
        What::Captions(args) => captions::run(context, args),
        What::Vqa(args) => vqa::run(context, args),
    }
}

/// Prints scores and logs `notes`. With `--json`, the notes are a list beside the scores, too.
fn print(
    context: &Context,
    mut scores: serde_json::Value,
    notes: &[String],
    table: impl FnOnce() -> String,
) -> anyhow::Result<()> {
    notes.iter().for_each(|note| context.log.line(note));
    if !notes.is_empty() {
        scores["notes"] = notes.into();
    }
    context.print(|| scores, table)
}
