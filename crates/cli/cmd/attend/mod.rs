//! `toolkit attend`: the places of a picture that the queries of a Q-Former attend to.

mod draw;

use crate::context::Context;
use crate::model_args::{LoadedModel, ModelArgs, Purpose};
use crate::out;
use crate::text::table;
use anyhow::bail;
use burn::tensor::Tensor;
use clap::Args as Arguments;
use serde_json::json;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use toolkit_core::params;
use toolkit_system::files::write_bytes;
use toolkit_system::problem::Problem;

/// Draws the Q-Former's cross-attention over a picture, as a PNG
///
/// The tiles are the picture as the encoder sees it, the mean of all queries, then each query.
/// Attention is the mean over heads and over layers with cross-attention, unless one is chosen. The
/// encoder's class token has no place in the picture; the share of attention that it gets is
/// printed. Attention shows where information is read, not what an answer depends on.
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
    /// PNG file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Index of one layer among those with cross-attention, from 0 [default: all]
    #[arg(long, value_name = "N")]
    layer: Option<usize>,
    /// Index of one head, from 0 [default: all]
    #[arg(long, value_name = "N")]
    head: Option<usize>,
    /// Side of a tile in pixels
    #[arg(
        long,
        value_name = "PIXELS",
        default_value_t = 160,
        value_parser = clap::value_parser!(u32).range(16..2049)
    )]
    size: u32,
}

/// Attention of the queries over the tokens of a picture.
struct QueryAttention {
    /// Weights of each query, one for each token.
    weights: Vec<Vec<f32>>,
    /// Patches on a side of the grid.
    grid: usize,
    /// Class tokens before the patches: 0 or 1.
    class: usize,
}

/// Runs the command.
///
/// # Errors
/// If the model has no Q-Former, the picture cannot be read, or the file not be written.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    out::keep_inputs(&args.out, &[&args.image, Path::new(&args.model.model)])?;
    let LoadedModel { vlm, .. } = args.model.open(context, Purpose::Generate)?;
    vlm.qformer()?;
    let picture = vlm.picture(&args.image)?;
    let attention = attend(args, &vlm.name, vlm.attend(&picture)?)?;
    let QueryAttention { weights, grid, class } = &attention;

    let seen = vlm.processor()?.preprocess.seen(&picture);
    let sheet = draw::sheet(&seen, weights, *grid, *class, args.size);
    let mut png = Cursor::new(Vec::new());
    sheet.write_to(&mut png, image::ImageFormat::Png)?;
    write_bytes(&args.out, png.get_ref())?;

    let shares = attention.class_shares();
    let as_json = || {
        json!({
            "model": vlm.name,
            "image": out::path(&args.image),
            "out": out::path(&args.out),
            "grid": grid,
            "queries": weights.len(),
            "class_token_share": shares,
            "weights": weights,
        })
    };
    context.print(as_json, || attention.as_text(&shares))
}

/// Averages the attention of the chosen layers and heads.
///
/// `layers` has `[1, heads, queries, tokens]` of each layer with cross-attention.
///
/// # Errors
/// If there is no such layer or head, or the tokens are no square grid.
fn attend(args: &Args, model: &str, layers: Vec<Tensor<4>>) -> anyhow::Result<QueryAttention> {
    let layers = pick(layers, args.layer)?;
    let [_, heads, _, tokens] = layers.first().map_or([0; 4], Tensor::dims);
    if let Some(head) = args.head.filter(|head| *head >= heads) {
        bail!(
            Problem::new("there is no such head")
                .at(format_args!("--head {head}"))
                .hint(format_args!("it has {heads}, from 0"))
        );
    }
    let of_heads = |layer: Tensor<4>| match args.head {
        Some(head) => layer.narrow(1, head, 1),
        None => layer.mean_dim(1),
    };
    let count = layers.len() as f64;
    let sum = layers.into_iter().map(of_heads).reduce(|a, b| a + b).ok_or_else(|| {
        Problem::new("there is no layer with cross-attention")
            .at(model)
            .hint("it cannot read pictures")
    })?;
    let weights = params::floats(sum / count).chunks(tokens).map(<[f32]>::to_vec).collect();
    let (grid, class) = draw::grid(tokens).ok_or_else(|| {
        Problem::new(format_args!("{tokens} tokens are no square grid"))
            .at(model)
            .hint("only such encoders can be drawn")
    })?;
    Ok(QueryAttention { weights, grid, class })
}

/// Returns all layers, or the chosen one.
fn pick(mut layers: Vec<Tensor<4>>, chosen: Option<usize>) -> anyhow::Result<Vec<Tensor<4>>> {
    match chosen {
        None => Ok(layers),
        Some(at) if at < layers.len() => Ok(vec![layers.swap_remove(at)]),
        Some(at) => bail!(
            Problem::new("there is no such layer")
                .at(format_args!("--layer {at}"))
                .hint(format_args!("{} have cross-attention, from 0", layers.len()))
        ),
    }
}

impl QueryAttention {
    /// Returns the share of each query's attention that the class token gets.
    fn class_shares(&self) -> Vec<f32> {
        let share = |query: &Vec<f32>| query[..self.class].iter().fold(0.0, |sum, one| sum + one);
        self.weights.iter().map(share).collect()
    }

    /// Renders the table of queries, each with the patch that it attends to most.
    fn as_text(&self, class_shares: &[f32]) -> String {
        let percent = |share: f32| format!("{:.1}", 100.0 * share);
        let rows =
            self.weights.iter().zip(class_shares).enumerate().map(|(query, (row, share))| {
                let (at, most) = draw::most(&row[self.class..]);
                let place = format!("row {}, column {}", at / self.grid, at % self.grid);
                vec![query.to_string(), place, percent(most), percent(*share)]
            });
        let head = ["query", "looks most at", "% there", "% class token"];
        table(&head, &rows.collect::<Vec<_>>())
    }
}
