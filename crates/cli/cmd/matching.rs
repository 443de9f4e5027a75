//! `toolkit match`: how well texts fit pictures, by a bridge's text side.

use crate::context::Context;
use crate::model_args::{ModelArgs, Purpose};
use crate::out;
use crate::pictures::{Unreadable, in_batches};
use crate::text::{decimals, table};
use anyhow::bail;
use clap::Args as Arguments;
use serde_json::{Value, json};
use std::path::PathBuf;
use toolkit_system::problem::Problem;
use toolkit_vlm::{MatchScores, Vlm};

/// Scores how well texts fit pictures: ITC (cosine of the text with the most similar query) and ITM
/// (probability that they match)
///
/// For a run, the bridge after stage 1 is used; for published checkpoints, one with a text side:
/// LAVIS's stage 1 or Hugging Face's `Blip2ForImageTextRetrieval`.
#[derive(Arguments)]
#[command(after_help = "\
Examples:
  toolkit match blip2-itm-vit-g/ photo.png --text 'two cats on a blanket' --text 'a dog'
  toolkit match runs/ablate_stage1 a.png b.png --text 'a red apple' --json")]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    unreadable: Unreadable,
    /// Picture files
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    /// Text; may be given several times
    #[arg(long, required = true, value_name = "TEXT")]
    text: Vec<String>,
}

/// Scores of picture files against texts.
pub struct Scores {
    /// Indices of the files that were read.
    pub read: Vec<usize>,
    /// Scores of each of them.
    pub scores: Vec<MatchScores>,
    /// Token ids of the texts.
    pub ids: Vec<Vec<u32>>,
}

/// Scores picture files with texts of at most `most` tokens, a few pictures at a time.
///
/// # Errors
/// If the model has no text side or no tokenizer, or a picture cannot be read and is not left out.
pub fn score(
    context: &Context,
    vlm: &Vlm,
    files: &[PathBuf],
    unreadable: Unreadable,
    texts: &[String],
    most: Option<usize>,
) -> anyhow::Result<Scores> {
    if texts.iter().any(|text| text.trim().is_empty()) {
        bail!(Problem::new("a text is empty").at("--text ''").hint("write what is looked for"));
    }
    let texts = vlm.embed_texts(texts, most)?;
    let (mut read, mut scores) = (Vec::new(), Vec::new());
    in_batches(context, vlm, files, unreadable, |places, pictures| {
        scores.extend(vlm.matching(pictures, &texts)?);
        read.extend_from_slice(places);
        Ok(())
    })?;
    Ok(Scores { read, scores, ids: texts.ids })
}

/// Runs the command.
///
/// # Errors
/// If pictures, weights or the checkpoint cannot be used.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let loaded = args.model.open(context, Purpose::Compare)?;
    let found = score(context, &loaded.vlm, &args.images, args.unreadable, &args.text, None)?;
    let images: Vec<&PathBuf> = found.read.iter().map(|at| &args.images[*at]).collect();
    let as_json = || {
        let image = |(image, scores): (&&PathBuf, &MatchScores)| {
            let text = |t: usize| {
                json!({
                    "text": args.text[t], "ids": found.ids[t], "itc": scores.itc[t],
                    "itm": scores.probability(t), "itm_logits": scores.itm[t],
                })
            };
            let texts: Vec<Value> = (0..args.text.len()).map(text).collect();
            json!({"image": out::path(image), "of": loaded.of, "texts": texts})
        };
        images.iter().zip(&found.scores).map(image).collect()
    };
    let as_text = || {
        let mut lines = Vec::new();
        for (image, scores) in images.iter().zip(&found.scores) {
            for (t, text) in args.text.iter().enumerate() {
                lines.push(vec![
                    decimals(scores.itc[t], 4),
                    decimals(scores.probability(t), 4),
                    image.display().to_string(),
                    text.clone(),
                ]);
            }
        }
        table(&["itc", "itm", "image", "text"], &lines)
    };
    context.print(as_json, as_text)
}
