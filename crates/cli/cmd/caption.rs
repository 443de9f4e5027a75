//! `toolkit caption`: captions of picture files.

use crate::context::Context;
use crate::decoding::Search;
use crate::opened::best;
use crate::out;
use crate::pictures::Unreadable;
use crate::which::{Purpose, Which};
use anyhow::bail;
use clap::Args as Arguments;
use serde_json::json;
use std::path::PathBuf;

/// Captions pictures with a run, a published checkpoint or a model card
///
/// Captions are printed as they are made, one line a picture; with `--json` each line is an object.
#[derive(Arguments)]
#[command(after_help = "\
Examples:
  toolkit caption runs/ablate_stage1 photo.png
  toolkit caption blip2-opt-2.7b/ --beams 5 --max-new-tokens 30 *.jpg
  toolkit caption blip2-opt-2.7b/ photo.png --prompt 'a photo of'
  toolkit caption runs/ablate_stage1 photo.png --top-p 0.9 --answers 3
  toolkit caption runs/ablate_stage1 photos/*.jpg --skip-unreadable --json | jq -r .text")]
pub struct Args {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    search: Search,
    /// What the caption continues [default: as the task card of a run says; nothing for published
    /// models]
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
    #[command(flatten)]
    unreadable: Unreadable,
    /// Picture files
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
    if args.prompt.as_ref().is_some_and(|prompt| prompt.contains("{}")) {
        bail!(
            "`{{}}` stands for a question, and a caption has none --> --prompt; hint: leave it \
            out, or use `toolkit vqa`"
        );
    }
    let prompt = args.prompt.clone().unwrap_or(prompt);
    let decoding = args.search.over(decoding);
    let alone = args.images.len() == 1;
    opened.caption_each(context, &args.images, args.unreadable, &prompt, &decoding, |image, texts| {
        let caption = best(texts)?;
        if context.json {
            return out::json_line(&json!({
                "image": out::path(image), "of": opened.of, "prompt": prompt, "text": caption.text, "ids": caption.ids,
                "score": caption.score, "finished": caption.finished, "answers": texts,
            }));
        }
        // The name of a file and a text are one line, whatever they hold.
        let name = if alone { String::new() } else { format!("{}\t", out::shown(&image.display().to_string())) };
        out::out(&texts.iter().map(|written| format!("{name}{}\n", out::shown(&written.text))).collect::<String>())
    })
}
