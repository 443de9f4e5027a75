//! `toolkit attend`: where the queries of a Q-Former look.

mod draw;

use crate::context::Context;
use crate::model_args::{LoadedModel, ModelArgs, Purpose};
use crate::out;
use crate::text::table;
use anyhow::{anyhow, bail};
use burn::tensor::Tensor;
use clap::Args as Arguments;
use serde_json::json;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use toolkit_core::params;
use toolkit_system::files::write_bytes;

/// Draws the Q-Former's cross-attention over a picture, as a PNG
///
/// Tiles: the picture as the encoder sees it, the mean of all queries, then each query. Attention
/// is the mean over heads and over layers with cross-attention, unless one is chosen. What goes to
/// the encoder's class token is on no place of the picture; its share is printed. Attention says
/// where information is read, not what an answer depends on.
#[derive(Arguments)]
#[command(after_help = "\
Examples:
  toolkit attend runs/ablate_stage1 photo.png --out attention.png
  toolkit attend blip2-opt-2.7b/ photo.png --layer 5 --out last.png --json")]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// Picture file
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    /// The PNG
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Only this one of the layers with cross-attention, from 0
    #[arg(long, value_name = "N")]
    layer: Option<usize>,
    /// Only this head, from 0
    #[arg(long, value_name = "N")]
    head: Option<usize>,
    /// Side of a tile in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 160, value_parser = clap::value_parser!(u32).range(16..2049))]
    size: u32,
}

/// Runs the command.
///
/// # Errors
/// If the model has no Q-Former, the picture cannot be read, or the file not be written.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    out::keep_inputs(&args.out, &[&args.image, Path::new(&args.model.model)])?;
    // 1. Attention of each layer, `[heads, queries, tokens]`.
    let LoadedModel { vlm, .. } = args.model.open(context, Purpose::Generate)?;
    vlm.qformer()?;
    let picture = vlm.picture(&args.image)?;
    let layers = vlm.attend(&picture)?;
    let chosen = pick(layers, args.layer)?;
    let [_, heads, queries, tokens] = chosen.first().map_or([0; 4], Tensor::dims);
    if args.head.is_some_and(|head| head >= heads) {
        bail!(
            "there is no such head --> --head {}; hint: it has {heads}, from 0",
            args.head.unwrap_or_default()
        );
    }
    let of_heads = |layer: Tensor<4>| match args.head {
        Some(head) => layer.narrow(1, head, 1),
        None => layer.mean_dim(1),
    };
    let count = chosen.len() as f64;
    let sum = chosen.into_iter().map(of_heads).reduce(|a, b| a + b);
    let mean = sum.ok_or_else(|| {
        anyhow!(
            "there is no layer with cross-attention --> {}; hint: it cannot read pictures",
            vlm.name
        )
    })? / count;
    let weights: Vec<Vec<f32>> = params::floats(mean).chunks(tokens).map(<[f32]>::to_vec).collect();

    // 2. A grid of patches, perhaps behind a class token.
    let Some((grid, class)) = draw::grid(tokens) else {
        bail!(
            "{tokens} tokens are no square grid --> {}; hint: only such encoders can be drawn",
            vlm.name
        )
    };
    let shares: Vec<f32> = weights
        .iter()
        .map(|query| query[..class].iter().fold(0.0, |sum, share| sum + share))
        .collect();

    // 3. The drawing.
    let seen = vlm.processor()?.preprocess.seen(&picture);
    let sheet = draw::sheet(&seen, &weights, grid, class, args.size);
    let mut png = Cursor::new(Vec::new());
    sheet.write_to(&mut png, image::ImageFormat::Png)?;
    write_bytes(&args.out, png.get_ref())?;
    context.print(
        || {
            json!({
                "model": vlm.name, "image": out::path(&args.image), "out": out::path(&args.out), "grid": grid, "queries": queries,
                "class_token_share": shares, "weights": weights,
            })
        },
        || {
            let rows = weights.iter().zip(&shares).enumerate().map(|(query, (row, share))| {
                let (at, most) = draw::most(&row[class..]);
                let place = format!("row {}, column {}", at / grid, at % grid);
                vec![query.to_string(), place, format!("{:.1}", 100.0 * most), format!("{:.1}", 100.0 * share)]
            });
            table(&["query", "looks most at", "% there", "% class token"], &rows.collect::<Vec<_>>())
        },
    )
}

/// All layers, or one of them.
fn pick(mut all: Vec<Tensor<4>>, chosen: Option<usize>) -> anyhow::Result<Vec<Tensor<4>>> {
    match chosen {
        None => Ok(all),
        Some(at) if at < all.len() => Ok(vec![all.swap_remove(at)]),
        Some(at) => bail!(
            "there is no such layer --> --layer {at}; hint: {} have cross-attention, from 0",
            all.len()
        ),
    }
}
