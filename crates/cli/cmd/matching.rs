//! `toolkit match`: how well texts fit pictures, by a bridge's text side.

use crate::context::Context;
use crate::opened::{Opened, rows};
use crate::out;
use crate::pictures::{Unreadable, in_batches};
use crate::text::{decimals, table};
use crate::which::{Purpose, Which};
use anyhow::bail;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use clap::Args as Arguments;
use serde_json::json;
use std::path::PathBuf;
use toolkit_checkpoints::BridgePart;
use toolkit_core::{Pair, Side, noise, pad, similarity};

/// Says how well texts fit pictures: ITC (cosine of the text with the most similar query) and ITM
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
    which: Which,
    #[command(flatten)]
    unreadable: Unreadable,
    /// Picture files
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    /// A text; may be given several times
    #[arg(long, required = true, value_name = "TEXT")]
    text: Vec<String>,
}

/// Scores of every picture with every text, `[picture][text]`.
pub struct Scores {
    /// Cosine with the most similar query.
    pub itc: Vec<Vec<f32>>,
    /// Logits of the matching head: no match, match.
    pub itm: Vec<Vec<[f32; 2]>>,
    /// The texts' token ids.
    pub ids: Vec<Vec<u32>>,
}

/// Longest text that the text side reads.
#[must_use]
pub fn longest(opened: &Opened) -> usize {
    match &opened.model.bridge {
        BridgePart::QFormer { config, .. } => config.max_position_embeddings,
        BridgePart::Other(_) => usize::MAX,
    }
}

/// Scores picture files with texts of at most `most` tokens, a few pictures at a time.
///
/// Returns the scores and the places of the files that were read.
///
/// # Errors
/// If the model has no text side or no tokenizer, or a picture cannot be read and is not left out.
pub fn score(
    context: &Context,
    opened: &Opened,
    files: &[PathBuf],
    unreadable: Unreadable,
    texts: (&[String], Option<usize>),
) -> anyhow::Result<(Scores, Vec<usize>)> {
    let (texts, most) = texts;
    if texts.iter().any(|text| text.trim().is_empty()) {
        bail!("a text is empty --> --text ''; hint: write what is looked for");
    }
    let (tower, words) = (opened.model.tower()?, opened.model.words()?);
    let most = most.unwrap_or(usize::MAX).min(longest(opened));
    let ids: Vec<Vec<u32>> =
        texts.iter().map(|text| words.sentence(text, most)).collect::<Result<_, _>>()?;
    let padding = words.tokenizer.pad.unwrap_or(opened.model.stage1.pad);
    let text = pad(&ids, padding, Side::Right, &device_of(opened));
    let embeds = noise::off(|| tower.text_embeds(text.ids.clone(), text.mask.clone()));
    let (mut itc, mut itm, mut read) = (Vec::new(), Vec::new(), Vec::new());
    in_batches(context, opened, files, unreadable, |places, pictures| {
        let features = opened.features(pictures)?;
        noise::off(|| {
            let all: Vec<Pair> = (0..ids.len()).map(|text| Pair { text, image: 0 }).collect();
            for at in 0..pictures.len() {
                let pass = tower.image_pass(features.clone().narrow(0, at, 1));
                let similar: Tensor<2> =
                    similarity(tower.image_embeds(pass.queries), embeds.clone());
                itc.extend(rows(similar));
                let logits = rows(tower.match_logits(
                    &pass.cross,
                    &all,
                    text.ids.clone(),
                    text.mask.clone(),
                ));
                itm.push(logits.into_iter().map(|pair| [pair[0], pair[1]]).collect());
            }
        });
        read.extend_from_slice(places);
        Ok(())
    })?;
    Ok((Scores { itc, itm, ids }, read))
}

/// The probability of a match.
#[must_use]
pub fn probability([no, yes]: [f32; 2]) -> f32 {
    1.0 / (1.0 + (no - yes).exp())
}

/// Runs the command.
///
/// # Errors
/// If pictures, weights or the checkpoint cannot be used.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let opened = args.which.open(context, Purpose::Compare)?;
    let (scores, read) =
        score(context, &opened, &args.images, args.unreadable, (&args.text, None))?;
    let images: Vec<&PathBuf> = read.iter().map(|at| &args.images[*at]).collect();
    let as_json = || {
        let image = |at: usize| {
            let text = |t: usize| json!({"text": args.text[t], "ids": scores.ids[t], "itc": scores.itc[at][t], "itm": probability(scores.itm[at][t]), "itm_logits": scores.itm[at][t]});
            json!({"image": out::path(images[at]), "of": opened.of, "texts": (0..args.text.len()).map(text).collect::<Vec<_>>()})
        };
        (0..images.len()).map(image).collect()
    };
    let as_text = || {
        let mut lines = Vec::new();
        for (at, image) in images.iter().enumerate() {
            for (t, text) in args.text.iter().enumerate() {
                let (itc, itm) = (scores.itc[at][t], probability(scores.itm[at][t]));
                lines.push(vec![
                    decimals(itc, 4),
                    decimals(itm, 4),
                    image.display().to_string(),
                    text.clone(),
                ]);
            }
        }
        table(&["itc", "itm", "image", "text"], &lines)
    };
    context.print(as_json, as_text)
}

/// The device of a model's encoder.
#[must_use]
pub fn device_of(opened: &Opened) -> Device {
    opened
        .model
        .vision
        .as_ref()
        .and_then(|v| v.model.devices().first().cloned())
        .unwrap_or_default()
}
