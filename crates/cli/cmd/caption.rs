//! `toolkit caption`: captions of picture files by a trained bridge.

use crate::context::Context;
use crate::trained::{Search, Which, speak};
use clap::Args as Arguments;
use serde_json::json;
use std::path::PathBuf;
use toolkit_eval::CaptionTask;
use toolkit_registry::Kind;

/// Captions pictures with what a run trained
#[derive(Arguments)]
#[command(after_help = "\
Examples:
  toolkit caption --run runs/ablate_stage1 photo.png
  toolkit caption --run runs/ablate_stage1 --beams 5 --max-new-tokens 30 *.jpg
  toolkit caption --run runs/ablate_stage1 photo.png --json | jq -r '.[0].text'")]
pub struct Args {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    search: Search,
    /// Picture files: png, jpeg, webp
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// If pictures, weights or the checkpoint cannot be used.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let cell = args.which.cell(context)?;
    let task = CaptionTask::from_card(
        &context.registry.card(Kind::Task, &cell.spec.eval.caption)?,
        &[&cell.resolved.language.0],
    )?;
    let written = speak(context, &args.which, &cell, &args.images, &task.prompt, &args.search.over(task.decoding))?;
    let pairs = || args.images.iter().zip(&written);
    context.print(
        || pairs().map(|(image, w)| json!({"image": image, "cell": cell.id, "text": w.text, "ids": w.ids, "score": w.score, "finished": w.finished})).collect(),
        || match pairs().len() {
            1 => format!("{}\n", written[0].text),
            _ => pairs().map(|(image, w)| format!("{}\t{}\n", image.display(), w.text)).collect(),
        },
    )
}
