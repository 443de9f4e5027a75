//! What a run trained, taken from its folder: the bridge can be used without the run.

use crate::context::Context;
use anyhow::{anyhow, bail};
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use clap::Args;
use image::RgbImage;
use std::path::{Path, PathBuf};
use toolkit_core::{AnyVision, params};
use toolkit_data::decode;
use toolkit_eval::{Decoding, Speaker};
use toolkit_lab::parts::Resolved;
use toolkit_lab::spec::Spec;
use toolkit_models::connector::Connector;
use toolkit_registry::Weights;
use toolkit_registry::spanned::suggest;
use toolkit_train::checkpoint::{Checkpoint, load_strict};
use toolkit_train::features::round_like_cache;

/// Images encoded together.
const BATCH: usize = 16;

/// Which trained model.
#[derive(Args)]
pub struct Which {
    /// Folder of a run
    #[arg(long, value_name = "DIR")]
    pub run: PathBuf,
    /// Cell of the run: a folder of DIR/cells [default: the first one with stage 1]
    #[arg(long, value_name = "ID")]
    pub cell: Option<String>,
}

/// How text is searched for, where it differs from the task card.
#[derive(Args)]
#[command(next_help_heading = "Decoding [default: as the task card of the run says]")]
pub struct Search {
    /// Hypotheses kept; 1 is greedy search
    #[arg(long, value_name = "N")]
    beams: Option<usize>,
    /// Most tokens written
    #[arg(long, value_name = "N")]
    max_new_tokens: Option<usize>,
    /// Fewest tokens written
    #[arg(long, value_name = "N")]
    min_new_tokens: Option<usize>,
    /// Above 0 favours long texts, below 0 short ones
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    length_penalty: Option<f64>,
}

impl Search {
    /// `card` with what was asked for.
    #[must_use]
    pub fn over(&self, card: Decoding) -> Decoding {
        Decoding {
            beams: self.beams.unwrap_or(card.beams),
            max_new_tokens: self.max_new_tokens.unwrap_or(card.max_new_tokens),
            min_new_tokens: self.min_new_tokens.unwrap_or(card.min_new_tokens),
            length_penalty: self.length_penalty.unwrap_or(card.length_penalty),
            ..card
        }
    }
}

/// A cell of a run: its id and the experiment it was.
pub struct Cell {
    /// Folder name.
    pub id: String,
    /// What it was made from.
    pub spec: Spec,
    /// Its parts.
    pub resolved: Resolved,
}

/// The cells of a run that were begun, in the order of the plan.
///
/// # Errors
/// If the folder is no run.
fn ids(run: &Path) -> anyhow::Result<Vec<String>> {
    let none = || {
        anyhow!(
            "this is no folder of a run with cells --> {}; hint: give the folder that `toolkit run` wrote, such as runs/ablate_stage1",
            run.display()
        )
    };
    let entries = std::fs::read_dir(run.join("cells")).map_err(|_| none())?;
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|e| e.path().join("spec.toml").is_file())
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let manifest = std::fs::read(run.join("manifest.json")).unwrap_or_default();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap_or_default();
    let planned: Vec<&str> = manifest["cells"].as_array().into_iter().flatten().filter_map(|id| id.as_str()).collect();
    names.sort_by_key(|name| planned.iter().position(|id| id == name).unwrap_or(usize::MAX));
    if names.is_empty() { Err(none()) } else { Ok(names) }
}

/// All cells of a run.
///
/// # Errors
/// If the folder is no run, or the parts of a cell are no longer there.
pub fn cells(context: &Context, run: &Path) -> anyhow::Result<Vec<Cell>> {
    ids(run)?.into_iter().map(|id| cell(context, run, id)).collect()
}

fn cell(context: &Context, run: &Path, id: String) -> anyhow::Result<Cell> {
    let spec: Spec = context.source(&run.join("cells").join(&id).join("spec.toml"))?.parse()?;
    Ok(Cell { resolved: Resolved::new(&context.registry, &spec.model)?, id, spec })
}

impl Which {
    /// The cell that is meant; says which if it had to choose.
    ///
    /// # Errors
    /// If there is no such cell.
    pub fn cell(&self, context: &Context) -> anyhow::Result<Cell> {
        if let Some(wanted) = &self.cell {
            let known = ids(&self.run)?;
            if !known.contains(wanted) {
                let hint = suggest(wanted, &known.iter().map(String::as_str).collect::<Vec<_>>());
                bail!("there is no cell `{wanted}` --> {}; hint: {hint}", self.run.join("cells").display());
            }
            return cell(context, &self.run, wanted.clone());
        }
        let mut cells = cells(context, &self.run)?;
        let trained = |cell: &Cell| self.stage2(cell).join("latest.json").is_file();
        let with_stage1 = |cell: &Cell| cell.spec.stage1.enabled && cell.resolved.bridge.1.text.is_some();
        let at = cells
            .iter()
            .position(|cell| trained(cell) && with_stage1(cell))
            .or_else(|| cells.iter().position(trained))
            .unwrap_or(0);
        let chosen = cells.swap_remove(at);
        context.log.line(&format!("cell {}", chosen.id));
        Ok(chosen)
    }

    fn stage2(&self, cell: &Cell) -> PathBuf {
        self.run.join("cells").join(&cell.id).join("stage2")
    }

    /// The trained connector of a cell.
    ///
    /// # Errors
    /// If it was not trained, or its checkpoint is damaged or of another model.
    pub fn connector(&self, context: &Context, cell: &Cell, device: &Device) -> anyhow::Result<Connector> {
        let (dir, resolved) = (self.stage2(cell), &cell.resolved);
        let saved = Checkpoint::load(&dir)?.ok_or_else(|| anyhow!("this cell has not been trained --> {}; hint: finish the run first: the command that began it resumes it", dir.display()))?;
        if saved.step < cell.spec.stage2.steps {
            context.log.line(&format!("cell {} is at step {} of {}", cell.id, saved.step, cell.spec.stage2.steps));
        }
        let bridge = context.registry.build_bridge(&resolved.bridge.0, &resolved.vision.1, device, Weights::None)?;
        let connector = Connector::new(bridge, resolved.bridge.1.width, resolved.language.1.width, device);
        Ok(load_strict(connector, saved.weights(&dir)?, &dir.join(&saved.model))?.no_grad())
    }
}

/// Picture files, all of them readable.
///
/// # Errors
/// The first that is not.
pub fn pictures(paths: &[PathBuf]) -> anyhow::Result<Vec<RgbImage>> {
    paths.iter().map(|path| Ok(decode(path)?)).collect()
}

/// Features of pictures as training saw them: rounded as the cache rounds.
#[must_use]
pub fn features(encoder: &AnyVision, resolved: &Resolved, pictures: &[RgbImage], device: &Device) -> Tensor<3> {
    let side = resolved.preprocess.size as usize;
    let parts = pictures.chunks(BATCH).map(|chunk| {
        let pixels: Vec<f32> = chunk.iter().flat_map(|picture| resolved.preprocess.apply(picture)).collect();
        let pixels = Tensor::from_data(TensorData::new(pixels, [chunk.len(), 3, side, side]), device);
        round_like_cache(encoder.encode(pixels))
    });
    Tensor::cat(parts.collect(), 0)
}

/// A text that was written.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Written {
    /// The text.
    pub text: String,
    /// Its tokens.
    pub ids: Vec<u32>,
    /// Log-probability over length to the power of the length penalty.
    pub score: f32,
    /// Whether it ended by itself.
    pub finished: bool,
}

/// Lets the language model of a cell write behind each picture.
///
/// # Errors
/// If pictures, weights, checkpoint or settings are not right.
pub fn speak(
    context: &Context,
    which: &Which,
    cell: &Cell,
    images: &[PathBuf],
    prompt: &str,
    decoding: &Decoding,
) -> anyhow::Result<Vec<Written>> {
    decoding.check()?;
    let pictures = pictures(images)?;
    let (device, resolved) = (context.device()?, &cell.resolved);
    let (tokenizer, marks) = resolved.language_marks()?;
    let connector = which.connector(context, cell, &device)?;
    let encoder = resolved.encoder(&context.registry, &device)?;
    let language = resolved.language_model(&context.registry, &device)?;
    let speaker = Speaker { language: &language, shape: &resolved.language.1, tokenizer: &tokenizer, marks };
    let task = context.log.task("pictures");
    toolkit_train::Progress::start(&task, 0, pictures.len() as u64);
    let mut all = Vec::new();
    for chunk in pictures.chunks(BATCH) {
        let prefix = connector.prefix(features(&encoder, resolved, chunk, &device));
        let prompts = vec![tokenizer.encode(prompt); chunk.len()];
        for best in
            speaker.generate(Some(prefix), &prompts, decoding)?.into_iter().map(|texts| texts.into_iter().next())
        {
            let best = best.ok_or_else(|| anyhow!("nothing was written; hint: raise `--max-new-tokens`"))?;
            let text = tokenizer.decode(&best.ids).trim().to_owned();
            all.push(Written { text, ids: best.ids, score: best.score, finished: best.finished });
        }
        toolkit_train::Progress::advance(&task, chunk.len() as u64);
    }
    Ok(all)
}

/// The numbers of a matrix, row by row.
#[must_use]
pub fn rows(matrix: Tensor<2>) -> Vec<Vec<f32>> {
    let width = matrix.dims()[1].max(1);
    params::floats(matrix).chunks(width).map(<[f32]>::to_vec).collect()
}
