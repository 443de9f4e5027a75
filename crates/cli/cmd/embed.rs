//! `toolkit embed`: features of pictures and texts, as a file.

use super::matching::{device_of, longest};
use crate::context::Context;
use crate::opened::{Purpose, Which};
use anyhow::bail;
use clap::Args as Arguments;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;
use toolkit_core::noise;
use toolkit_core::params::{Values, floats};
use toolkit_registry::{StoredDtype, write_safetensors};
use toolkit_train::Progress;
use toolkit_train::text::{Side, pad};

/// Writes features of pictures and texts to a safetensors file
///
/// `image.queries` are the bridge's outputs `[images, queries, width]`; with a text side there are also
/// `image.embeds [images, queries, e]` and `text.embeds [texts, e]`, normalised to length 1, whose products are ITC;
/// `--features` adds the encoder's tokens. File names and texts are in the metadata, in order.
#[derive(Arguments)]
#[command(after_help = "\
Examples:
  toolkit embed blip2-itm-vit-g/ *.jpg --text 'a red apple' --out embeds.safetensors
  toolkit embed runs/ablate_stage1 a.png b.png --out embeds.safetensors --features")]
pub struct Args {
    #[command(flatten)]
    which: Which,
    /// Picture files: png, jpeg, webp
    #[arg(value_name = "IMAGE")]
    images: Vec<PathBuf>,
    /// A text; may be given several times
    #[arg(long, value_name = "TEXT")]
    text: Vec<String>,
    /// The file to write
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
        bail!("there is nothing to embed; hint: give picture files or `--text`");
    }
    let opened = args.which.open(context, Purpose::Compare)?;
    let pictures = opened.pictures(&args.images)?;
    let mut parts: BTreeMap<String, Vec<Values>> = BTreeMap::new();
    let mut put = |name: &str, shape: Vec<usize>, data: Vec<f32>| {
        parts.entry(name.to_owned()).or_default().push(Values { shape, data });
    };
    let task = context.log.task("pictures");
    Progress::start(&task, 0, pictures.len() as u64);
    for chunk in pictures.chunks(16) {
        let features = opened.features(chunk)?;
        noise::off(|| {
            let queries = opened.model.queries(features.clone());
            if let Ok(tower) = opened.model.tower() {
                let embeds = tower.image_embeds(queries.clone());
                put("image.embeds", embeds.dims().to_vec(), floats(embeds));
            }
            put("image.queries", queries.dims().to_vec(), floats(queries));
            if args.features {
                put("image.features", features.dims().to_vec(), floats(features));
            }
        });
        Progress::advance(&task, chunk.len() as u64);
    }
    Progress::finish(&task);
    if !args.text.is_empty() {
        let (tower, words) = (opened.model.tower()?, opened.model.words()?);
        let ids: Vec<Vec<u32>> = args.text.iter().map(|text| words.sentence(text, longest(&opened))).collect();
        let padding = words.tokenizer.pad.unwrap_or(opened.model.stage1.pad);
        let text = pad(&ids, padding, Side::Right, &device_of(&opened));
        let embeds = noise::off(|| tower.text_embeds(text.ids, text.mask));
        put("text.embeds", embeds.dims().to_vec(), floats(embeds));
    }
    let tensors: BTreeMap<String, Values> = parts.into_iter().map(|(name, chunks)| (name, joined(chunks))).collect();
    let metadata = BTreeMap::from([
        ("model".to_owned(), opened.model.name.clone()),
        ("images".to_owned(), json!(args.images).to_string()),
        ("texts".to_owned(), json!(args.text).to_string()),
    ]);
    write_safetensors(&args.out, &tensors, StoredDtype::F32, metadata)?;
    let shapes: BTreeMap<&String, &Vec<usize>> = tensors.iter().map(|(name, values)| (name, &values.shape)).collect();
    context.print(
        || json!({"file": args.out, "of": opened.of, "tensors": shapes}),
        || shapes.iter().map(|(name, shape)| format!("{name} {shape:?}\n")).collect(),
    )
}

/// Chunks under each other.
fn joined(chunks: Vec<Values>) -> Values {
    let mut shape = chunks.first().map(|values| values.shape.clone()).unwrap_or_default();
    if let Some(rows) = shape.first_mut() {
        *rows = chunks.iter().filter_map(|values| values.shape.first()).sum();
    }
    Values { shape, data: chunks.into_iter().flat_map(|values| values.data).collect() }
}
