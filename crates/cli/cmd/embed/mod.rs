//! `toolkit embed`: features of pictures and texts, as a file.

mod spool;

use crate::context::Context;
use crate::model_args::{LoadedModel, ModelArgs, Purpose};
use crate::pictures::{Unreadable, in_batches};
use crate::{interrupt, out};
use anyhow::bail;
use burn::tensor::Tensor;
use clap::Args as Arguments;
use image::RgbImage;
use serde_json::json;
use spool::Spool;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toolkit_core::params::{Values, floats};
use toolkit_system::problem::Problem;
use toolkit_vlm::{ImageEmbeddings, Vlm};

/// Writes features of pictures and texts to a safetensors file
///
/// `image.queries` are the bridge's outputs `[images, queries, width]`; with a text side there are
/// also `image.embeds [images, queries, e]` and `text.embeds [texts, e]`, normalised to length 1,
/// whose products are ITC; `--features` adds the encoder's tokens. File names and texts are in the
/// metadata, in order. After a kill the same command resumes.
#[derive(Arguments)]
#[command(after_help = "\
Examples:
  toolkit embed blip2-itm-vit-g/ *.jpg --text 'a red apple' --out embeds.safetensors
  toolkit embed runs/ablate_stage1 a.png b.png --out embeds.safetensors --features")]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    unreadable: Unreadable,
    /// Picture files
    #[arg(value_name = "IMAGE")]
    images: Vec<PathBuf>,
    /// Text; may be given several times
    #[arg(long, value_name = "TEXT")]
    text: Vec<String>,
    /// File to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Add the encoder's tokens, `image.features [images, tokens, width]`
    #[arg(long)]
    features: bool,
}

/// Runs the command.
///
/// # Errors
/// If pictures, weights or the checkpoint cannot be used, or the file cannot be written.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    if args.images.is_empty() && args.text.is_empty() {
        bail!(Problem::new("there is nothing to embed").hint("give picture files or `--text`"));
    }
    let inputs = args.images.iter().map(PathBuf::as_path).chain([Path::new(&args.model.model)]);
    out::keep_inputs(&args.out, &inputs.collect::<Vec<_>>())?;
    interrupt::say_how_to_go_on(&context.log, &args.out);
    let loaded = args.model.open(context, Purpose::Compare)?;
    let mut spool = Spool::open(&args.out, key(args, &loaded)?)?;
    same_model(context, args, &loaded.vlm, &mut spool)?;
    let begun = spool.mark.done;
    if begun > 0 {
        context.log.line(&format!("goes on at {begun} of {} pictures", args.images.len()));
    }
    // The first places are done; those of the rest are counted from there.
    let rest = &args.images[begun..];
    in_batches(context, &loaded.vlm, rest, args.unreadable, |places, pictures| {
        for (name, values) in rows_of(args, &loaded.vlm, pictures)? {
            spool.push(name, &values)?;
        }
        let read: Vec<usize> = places.iter().map(|at| begun + at).collect();
        spool.reached(read.last().map_or(begun, |at| at + 1), &read)
    })?;
    spool.reached(args.images.len(), &[])?;
    if !args.text.is_empty() {
        spool.push("text.embeds", &values(loaded.vlm.embed_texts(&args.text, None)?.embeds))?;
    }
    let read: Vec<&PathBuf> = (args.images.iter().enumerate())
        .filter(|(at, _)| !spool.mark.skipped.contains(at))
        .map(|(_, path)| path)
        .collect();
    let metadata = BTreeMap::from([
        ("model".to_owned(), loaded.vlm.name.clone()),
        (
            "images".to_owned(),
            json!(read.iter().map(|path| out::path(path)).collect::<Vec<_>>()).to_string(),
        ),
        ("texts".to_owned(), json!(args.text).to_string()),
    ]);
    let shapes = spool.mark.shapes.clone();
    spool.finish(&args.out, &metadata)?;
    context.print(
        || json!({"file": out::path(&args.out), "of": loaded.of, "tensors": shapes}),
        || shapes.iter().map(|(name, shape)| format!("{name} {shape:?}\n")).collect(),
    )
}

/// Names the inputs that determine the rows, except the weights: [`same_model`] compares those.
fn key(args: &Args, loaded: &LoadedModel) -> anyhow::Result<serde_json::Value> {
    let stamp = |path: &PathBuf| {
        let data = std::fs::metadata(path).ok();
        let time =
            data.as_ref().and_then(|data| data.modified().ok()).map(|time| format!("{time:?}"));
        json!([format!("{path:?}"), data.map(|data| data.len()), time])
    };
    let images: Vec<serde_json::Value> = args.images.iter().map(stamp).collect();
    let skip = args.unreadable.skip_unreadable;
    Ok(json!([loaded.vlm.name, loaded.of, images, args.text, args.features, skip]))
}

/// Begins a spool anew if its first picture comes out differently: the weights are others.
fn same_model(context: &Context, args: &Args, vlm: &Vlm, spool: &mut Spool) -> anyhow::Result<()> {
    let first = (0..spool.mark.done).find(|at| !spool.mark.skipped.contains(at));
    let Some(first) = first else { return spool.begin() };
    let picture = vlm.picture(&args.images[first])?;
    for (name, values) in rows_of(args, vlm, std::slice::from_ref(&picture))? {
        if !spool.starts_with(name, &values.data) {
            context.log.line("the model is another one than before: begins anew");
            return spool.begin();
        }
    }
    Ok(())
}

/// Computes the rows that pictures add to each tensor.
fn rows_of(
    args: &Args,
    vlm: &Vlm,
    pictures: &[RgbImage],
) -> anyhow::Result<Vec<(&'static str, Values)>> {
    let ImageEmbeddings { features, queries, embeds } = vlm.embed(pictures)?;
    let mut all = Vec::new();
    all.extend(embeds.map(|embeds| ("image.embeds", values(embeds))));
    all.push(("image.queries", values(queries)));
    if args.features {
        all.push(("image.features", values(features)));
    }
    Ok(all)
}

/// Copies a tensor to the host.
fn values<const D: usize>(tensor: Tensor<D>) -> Values {
    Values { shape: tensor.dims().to_vec(), data: floats(tensor) }
}
