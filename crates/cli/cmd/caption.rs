//! `toolkit caption`: captions of picture files.

use crate::context::Context;
use crate::decoding::Search;
use crate::opened::{Purpose, Which, best};
use clap::Args as Arguments;
use serde_json::json;
use std::path::PathBuf;

/// Captions pictures with a run, a published checkpoint or a model card
#[derive(Arguments)]
#[command(after_help = "\
Examples:
  toolkit caption runs/ablate_stage1 photo.png
  toolkit caption blip2-opt-2.7b/ --beams 5 --max-new-tokens 30 *.jpg
  toolkit caption blip2-opt-2.7b/ photo.png --prompt 'a photo of'
  toolkit caption runs/ablate_stage1 photo.png --top-p 0.9 --answers 3
  toolkit caption runs/ablate_stage1 photo.png --json | jq -r '.[0].text'")]
pub struct Args {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    search: Search,
    /// What the caption continues [default: as the task card of a run says; nothing for published models]
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
    /// Picture files: png, jpeg, webp
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// If pictures, weights or the checkpoint cannot be used.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let opened = args.which.open(context, Purpose::Speak)?;
    let (prompt, decoding) = opened.caption(context)?;
    let prompts = vec![args.prompt.clone().unwrap_or(prompt); args.images.len()];
    let written = opened.speak(context, &args.images, &prompts, &args.search.over(decoding))?;
    for texts in &written {
        best(texts)?;
    }
    let pairs = || args.images.iter().zip(&written);
    context.print(
        || pairs().map(|(image, texts)| json!({"image": image, "of": opened.of, "prompt": prompts[0], "text": texts[0].text, "ids": texts[0].ids, "score": texts[0].score, "finished": texts[0].finished, "answers": texts})).collect(),
        || {
            let lines = pairs().flat_map(|(image, texts)| {
                texts.iter().map(move |w| if args.images.len() == 1 { format!("{}\n", w.text) } else { format!("{}\t{}\n", image.display(), w.text) })
            });
            lines.collect()
        },
    )
}
