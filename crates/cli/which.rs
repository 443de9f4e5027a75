//! The model that a command is given: the folder of a run, a published checkpoint, or a card.

use crate::context::Context;
use crate::opened::Opened;
use crate::runs::{self, RunCell};
use anyhow::{anyhow, bail};
use burn::tensor::{DType, Device};
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};
use toolkit_checkpoints::config::Stage1;
use toolkit_checkpoints::model::Loading;
use toolkit_checkpoints::processor::Processor;
use toolkit_checkpoints::{BridgePart, LanguagePart, Model, VisionPart};
use toolkit_core::{AnyBridge, Bridge, VisionShape, params};
use toolkit_lab::run::manifest::Manifest;
use toolkit_models::bridge::qformer::{QFormer, QFormerConfig};
use toolkit_registry::{Card, Kind};
use toolkit_system::digest::sha256_hex;
use toolkit_vlm::ModelTokenizer;

/// Form in which the matrices of the frozen parts are kept.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum Kept {
    /// As they are computed with
    #[default]
    F32,
    /// In half the memory, widened where they are used
    Bf16,
    /// In half the memory, widened where they are used
    F16,
    /// In 8-bit blocks of 32, little more than a quarter of the memory; large models write faster
    /// with it
    Q8,
}

impl From<Kept> for DType {
    fn from(kept: Kept) -> Self {
        match kept {
            Kept::F32 => Self::F32,
            Kept::Bf16 => Self::BF16,
            Kept::F16 => Self::F16,
            Kept::Q8 => toolkit_kernels::eight_bit(),
        }
    }
}

/// The model that a command works with.
#[derive(Args)]
pub struct Which {
    /// Folder of a run, Hugging Face folder, LAVIS .pth with a config.json beside it, or name of a
    /// model card
    #[arg(value_name = "MODEL")]
    pub model: String,
    /// Cell of a run: a folder of MODEL/cells [default: the first one with stage 1]
    #[arg(long, value_name = "ID")]
    pub cell: Option<String>,
    /// Type in which the matrices of the encoder and the language model are kept in memory
    #[arg(long, value_name = "TYPE", default_value = "f32")]
    pub dtype: Kept,
}

/// Purpose of a model: a run has one checkpoint for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Writing text: the language model, behind the bridge after stage 2.
    Speak,
    /// Comparing with texts: the bridge after stage 1.
    Compare,
}

/// Entries right in a folder, in order of names; none if it is not there.
fn entries(dir: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> =
        std::fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path()).collect();
    all.sort();
    all
}

/// Says whether a folder is that of a run.
#[must_use]
pub fn is_run(path: &Path) -> bool {
    path.join("cells").is_dir()
}

impl Which {
    /// Opens the model on a plain device.
    ///
    /// # Errors
    /// If there is no such model, or it is not complete.
    pub fn open(&self, context: &Context, purpose: Purpose) -> anyhow::Result<Opened> {
        let opened = self.open_on(context, purpose, &context.device()?, true)?;
        if let Some(note) =
            opened.model.processor.as_ref().and_then(|processor| processor.note.as_ref())
        {
            context.log.line(note);
        }
        opened.model.notes.iter().for_each(|note| context.log.line(&format!("note: {note}")));
        Ok(opened)
    }

    /// Opens the model on a device that may record gradients; if not `frozen`, of all parts.
    ///
    /// # Errors
    /// As [`Which::open`].
    pub fn open_on(
        &self,
        context: &Context,
        purpose: Purpose,
        device: &Device,
        frozen: bool,
    ) -> anyhow::Result<Opened> {
        let path = PathBuf::from(&self.model);
        if is_run(&path) {
            if !matches!(self.dtype, Kept::F32) {
                bail!(
                    "`--dtype` is for published checkpoints: the parts of a run are kept as they \
                    were trained --> {}; hint: leave it out, or `toolkit convert` the run and give \
                    what that wrote",
                    self.model
                );
            }
            return match purpose {
                Purpose::Speak => self.speaker(context, &path, device),
                Purpose::Compare => self.comparer(context, &path, device),
            };
        }
        if path.join("spec.toml").is_file() && !path.join("config.json").is_file() {
            bail!(
                "this run has no trained cell yet --> {}; hint: wait for it, or type its command \
                again: it goes on where it was",
                path.display()
            );
        }
        let path = self.path(context)?;
        let task = context.log.task("parameters");
        let loading = Loading { device, dtype: self.dtype.into(), frozen, progress: &task };
        let model = Model::open(&path, loading)?;
        toolkit_system::progress::Progress::finish(&task);
        Ok(Opened { model, of: None, cell: None })
    }

    /// Hashes what names the model and tells whether its files are as they were: by size and time,
    /// and of a run by its checkpoints, which name their weights by hash.
    #[must_use]
    pub fn stamp(&self) -> String {
        let path = Path::new(&self.model);
        let mut files: Vec<PathBuf> =
            if path.is_dir() { entries(path) } else { vec![path.to_owned()] };
        for stages in ["stage1", "cells"] {
            let inner = |dir: PathBuf| [dir.join("latest.json"), dir.join("stage2/latest.json")];
            files.extend(entries(&path.join(stages)).into_iter().flat_map(inner));
        }
        let told = files.into_iter().map(|file| {
            let content = file
                .ends_with("latest.json")
                .then(|| toolkit_system::input::read_to_string(&file).ok());
            let data = std::fs::metadata(&file).ok().filter(std::fs::Metadata::is_file);
            let time =
                data.as_ref().filter(|_| content.is_none()).and_then(|data| data.modified().ok());
            format!("{} {:?} {time:?} {content:?}", file.display(), data.map(|data| data.len()))
        });
        let all: Vec<String> = told.collect();
        sha256_hex(format!("{} {:?} {:?} {all:?}", self.model, self.cell, self.dtype).as_bytes())
    }

    /// The folder or file of a published checkpoint.
    ///
    /// # Errors
    /// If there is none.
    pub fn path(&self, context: &Context) -> anyhow::Result<PathBuf> {
        let path = PathBuf::from(&self.model);
        if path.exists() { Ok(path) } else { published(context, &self.model) }
    }

    fn speaker(&self, context: &Context, run: &Path, device: &Device) -> anyhow::Result<Opened> {
        let cell = runs::choose(context, run, self.cell.as_deref())?;
        let resolved = &cell.resolved;
        let (tokenizer, special_tokens) = resolved.language_special_tokens()?;
        let past = tokenizer.past_table().into_iter().collect();
        let connector = runs::connector(context, run, &cell, device)?;
        let bridge = concrete(&resolved.bridge.0, &resolved.vision.1, connector.bridge, device)?;
        let language = LanguagePart {
            model: resolved.language_model(&context.registry, device)?,
            shape: resolved.language.1.clone(),
            special_tokens,
            projection: connector.language_projection,
            config: None,
        };
        Ok(Opened {
            model: Model {
                name: format!("{} cell {}", run.display(), cell.id),
                vision: Some(encoder(context, &cell, device)?),
                bridge,
                language: Some(language),
                words: Some(ModelTokenizer::from_card(tokenizer)),
                processor: Some(Processor::of_run(resolved.preprocess)),
                stage1: stage1_settings(&cell),
                image_token: None,
                notes: past,
            },
            of: Some(cell.id.clone()),
            cell: Some(cell),
        })
    }

    fn comparer(&self, context: &Context, run: &Path, device: &Device) -> anyhow::Result<Opened> {
        let (key, cell) = match &self.cell {
            Some(id) => stage1_of(context, run, id)?,
            None => runs::stage1(context, run, None)?,
        };
        self.compare(context, run, key, cell, device)
    }

    /// The bridge after the stage-1 run `key` of a run.
    ///
    /// # Errors
    /// If it is not there.
    pub fn open_stage1(&self, context: &Context, key: &str) -> anyhow::Result<Opened> {
        let run = PathBuf::from(&self.model);
        let (key, cell) = runs::stage1(context, &run, Some(key))?;
        self.compare(context, &run, key, cell, &context.device()?)
    }

    fn compare(
        &self,
        context: &Context,
        run: &Path,
        key: String,
        cell: RunCell,
        device: &Device,
    ) -> anyhow::Result<Opened> {
        let resolved = &cell.resolved;
        let bridge = runs::bridge(context, &run.join("stage1").join(&key), &cell, device)?;
        let (tokenizer, _) = resolved.text_special_tokens()?;
        let past = tokenizer.past_table().into_iter().collect();
        Ok(Opened {
            model: Model {
                name: format!("{} stage 1 {key}", run.display()),
                vision: Some(encoder(context, &cell, device)?),
                bridge: concrete(&resolved.bridge.0, &resolved.vision.1, bridge, device)?,
                language: None,
                words: Some(ModelTokenizer::from_card(tokenizer)),
                processor: Some(Processor::of_run(resolved.preprocess)),
                stage1: stage1_settings(&cell),
                image_token: None,
                notes: past,
            },
            of: Some(key),
            cell: Some(cell),
        })
    }
}

/// The stage-1 run that a cell started from.
fn stage1_of(context: &Context, run: &Path, id: &str) -> anyhow::Result<(String, RunCell)> {
    let cell = runs::choose(context, run, Some(id))?;
    let mut manifest = Manifest::load(run).unwrap_or_default();
    let key = manifest.stage1.remove(id);
    let hint = "choose a cell with `stage1.enabled = true`";
    Ok((
        key.ok_or_else(|| {
            anyhow!("cell `{id}` had no stage 1 --> {}; hint: {hint}", run.display())
        })?,
        cell,
    ))
}

fn encoder(context: &Context, cell: &RunCell, device: &Device) -> anyhow::Result<VisionPart> {
    let model = cell.resolved.encoder(&context.registry, device)?;
    Ok(VisionPart { model, shape: cell.resolved.vision.1.clone(), config: None })
}

fn stage1_settings(cell: &RunCell) -> Stage1 {
    let special_tokens =
        cell.resolved.text_special_tokens().ok().map(|(_, special_tokens)| special_tokens);
    Stage1 {
        dec: special_tokens.map_or(0, |special_tokens| special_tokens.dec),
        pad: special_tokens.map_or(0, |special_tokens| special_tokens.pad),
        label_smoothing: cell.spec.stage1.smoothing,
    }
}

/// A Q-Former as one, any other bridge as it is.
fn concrete(
    card: &Card,
    vision: &VisionShape,
    bridge: AnyBridge,
    device: &Device,
) -> anyhow::Result<BridgePart> {
    if card.family != "qformer" {
        return Ok(BridgePart::Other(bridge));
    }
    let config: QFormerConfig = card.config()?;
    let mut values = params::export(&bridge);
    let model =
        params::map(QFormer::build(&config, vision, device), |info| values.remove(&info.name));
    Ok(BridgePart::QFormer { model: Box::new(model), config, text: true, caption: true })
}

/// The folder of a model card's weights.
fn published(context: &Context, name: &str) -> anyhow::Result<PathBuf> {
    if name.contains('/') || Path::new(name).extension().is_some() {
        bail!(
            "there is no such model --> {name}; hint: give the folder of a run, a checkpoint, or \
            the name of a model card (`toolkit list models`)"
        );
    }
    let card = context.registry.card(Kind::Model, name)?;
    Ok(card.weights_folder()?)
}
