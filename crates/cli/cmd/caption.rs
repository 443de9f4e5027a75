//! `toolkit caption`: captions of picture files.

use crate::context::Context;
use crate::decoding::Search;
use crate::model_args::{ModelArgs, Purpose, best};
use crate::out;
use crate::pictures::{Unreadable, in_batches};
use anyhow::bail;
use clap::Args as Arguments;
use serde_json::json;
use std::path::{Path, PathBuf};
use toolkit_system::problem::Problem;
use toolkit_vlm::GeneratedText;

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
    model: ModelArgs,
    #[command(flatten)]
    search: Search,
    /// Prompt that the caption continues [default: that of a run's task card; none for published
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
    let loaded = args.model.open(context, Purpose::Generate)?;
    let (prompt, decoding) = loaded.caption_task(context)?;
    if args.prompt.as_ref().is_some_and(|prompt| prompt.contains("{}")) {
        let what = "`{}` stands for a question, and a caption has none";
        bail!(Problem::new(what).at("--prompt").hint("leave it out, or use `toolkit vqa`"));
    }
    let prompt = args.prompt.clone().unwrap_or(prompt);
    let decoding = args.search.over(decoding);
    decoding.check()?;
    loaded.vlm.language()?;
    loaded.note_special_tokens(context, std::slice::from_ref(&prompt))?;
    in_batches(context, &loaded.vlm, &args.images, args.unreadable, |places, pictures| {
        let captions = loaded.vlm.caption(pictures, &prompt, &decoding)?;
        for (at, texts) in places.iter().zip(captions) {
            print(context, args, loaded.of.as_deref(), &prompt, &args.images[*at], &texts)?;
        }
        Ok(())
    })
}

/// Prints the captions of one picture.
fn print(
    context: &Context,
    args: &Args,
    of: Option<&str>,
    prompt: &str,
    image: &Path,
    texts: &[GeneratedText],
) -> anyhow::Result<()> {
    let caption = best(texts)?;
    if context.json {
        return out::json_line(&json!({
            "image": out::path(image), "of": of, "prompt": prompt,
            "text": caption.text, "ids": caption.ids,
            "score": caption.score, "finished": caption.finished, "answers": texts,
        }));
    }
    // The name of a file and a text are one line, whatever they hold.
    let name = match args.images.len() {
        1 => String::new(),
        _ => format!("{}\t", out::shown(&image.display().to_string())),
    };
    let line = |text: &GeneratedText| format!("{name}{}\n", out::shown(&text.text));
    out::out(&texts.iter().map(line).collect::<String>())
}
