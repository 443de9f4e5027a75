//! The model that a command is given: the folder of a run, a published checkpoint, or a card.

use crate::context::Context;
use anyhow::{anyhow, bail};
use burn::tensor::Device;
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};
use toolkit_checkpoints::{Loading, open};
use toolkit_core::params::Kept;
use toolkit_eval::{CaptionTask, VqaTask};
use toolkit_lab::run::{CheckpointChoice, TrainedCell, TrainedModel, TrainedRun, is_run};
use toolkit_registry::Kind;
use toolkit_system::digest::sha256_hex;
use toolkit_system::problem::Problem;
use toolkit_system::progress::Progress;
use toolkit_vlm::{Decoding, Vlm};

/// Type in which the matrices of the frozen parts are kept.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum Precision {
    /// The type that is computed with
    #[default]
    F32,
    /// Half the memory, widened where they are used
    Bf16,
    /// Half the memory, widened where they are used
    F16,
    /// 8-bit blocks of 32: little more than a quarter of the memory, multiplied as integers
    Q8,
    /// 4-bit blocks of 32: a sixth of the memory, multiplied as integers
    Q4,
    /// The blocks that a GGUF file has, multiplied as integers; `f32` for other numbers
    File,
}

impl From<Precision> for Kept {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Self::F32,
            Precision::Bf16 => Self::Bf16,
            Precision::F16 => Self::F16,
            Precision::Q8 => Self::Q8,
            Precision::Q4 => Self::Q4,
            Precision::File => Self::Stored,
        }
    }
}

/// Options that choose the model of a command.
#[derive(Args)]
pub struct ModelArgs {
    /// Folder of a run, Hugging Face folder, LAVIS .pth with a config.json next to it, or name of a
    /// model card
    #[arg(value_name = "MODEL")]
    pub model: String,
    /// Cell of a run: a folder of MODEL/cells [default: the first one with stage 1]
    #[arg(long, value_name = "ID")]
    pub cell: Option<String>,
    /// Checkpoint of a run: `latest`, `best` (`compute.best`), or the step of one that was kept
    /// (`compute.keep`)
    #[arg(long, value_name = "NAME", default_value = "latest")]
    pub checkpoint: CheckpointChoice,
    /// Type in which the matrices of the encoder and the language model are kept in memory
    #[arg(long, value_name = "TYPE", default_value = "f32")]
    pub dtype: Precision,
}

/// Prompt of a question where neither a task nor a language card has one: the question alone.
const ALONE: &str = "{}";

/// Purpose of a model: a run has one checkpoint for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Text generation: the language model, behind the bridge after stage 2.
    Generate,
    /// Comparison with texts: the bridge after stage 1.
    Compare,
}

/// A model, and the cell that it belongs to if it is of a run.
pub struct LoadedModel {
    /// Model.
    pub vlm: Vlm,
    /// Id of the cell, or key of the stage-1 run.
    pub of: Option<String>,
    /// Cell of a run.
    pub cell: Option<TrainedCell>,
}

impl From<TrainedModel> for LoadedModel {
    fn from(trained: TrainedModel) -> Self {
        Self { vlm: trained.vlm, of: Some(trained.of), cell: Some(trained.cell) }
    }
}

impl LoadedModel {
    /// Returns the prompt of captions, and the settings of their search: those of the run's task, or
    /// where it has none the language card's and the published ones.
    ///
    /// # Errors
    /// If the run's task card is wrong.
    pub fn caption_task(&self, context: &Context) -> anyhow::Result<(String, Decoding)> {
        let Some(cell) = &self.cell else {
            return Ok((String::new(), Decoding::published_caption()));
        };
        let language = &cell.model_plan.language()?.card;
        let Some(task) = &cell.spec.eval.caption else {
            let prompt = language.prompt.get("caption").cloned().unwrap_or_default();
            return Ok((prompt, Decoding::published_caption()));
        };
        let card = context.registry.card(Kind::Task, task)?;
        let task = CaptionTask::from_card(&card, &[language])?;
        Ok((task.prompt, task.decoding))
    }

    /// Returns the prompt of questions, with `{}` for the question, and the settings of the search
    /// for answers.
    ///
    /// # Errors
    /// If the run's task card is wrong.
    pub fn question_task(&self, context: &Context) -> anyhow::Result<(String, Decoding)> {
        let Some(cell) = &self.cell else {
            let prompt = self.vlm.published_question_prompt();
            return Ok((prompt.to_owned(), Decoding::published_answer()));
        };
        let language = &cell.model_plan.language()?.card;
        let Some(task) = &cell.spec.eval.vqa else {
            let prompt = language.prompt.get("vqa").map_or(ALONE, String::as_str);
            return Ok((prompt.to_owned(), Decoding::published_answer()));
        };
        let card = context.registry.card(Kind::Task, task)?;
        let task = VqaTask::from_card(&card, &[language])?;
        Ok((task.prompt, task.decoding))
    }

    /// Logs special tokens that are spelt out in prompts: they are read as special tokens, which is
    /// seldom meant.
    ///
    /// # Errors
    /// If the model has no tokenizer.
    pub fn note_special_tokens(&self, context: &Context, prompts: &[String]) -> anyhow::Result<()> {
        if let Some(note) = self.vlm.special_tokens_in(prompts)? {
            context.log.line(&format!("note: {note}"));
        }
        Ok(())
    }
}

/// Lists the entries of a folder in order of names; none if it is not there.
fn entries(dir: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> =
        std::fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path()).collect();
    all.sort();
    all
}

impl ModelArgs {
    /// Opens the model on a plain device.
    ///
    /// # Errors
    /// If there is no such model, or it is not complete.
    pub fn open(&self, context: &Context, purpose: Purpose) -> anyhow::Result<LoadedModel> {
        let loaded = self.open_on(context, purpose, &context.device()?, true)?;
        let processor = loaded.vlm.processor.as_ref();
        if let Some(note) = processor.and_then(|processor| processor.note.as_ref()) {
            context.log.line(note);
        }
        loaded.vlm.notes.iter().for_each(|note| context.log.line(&format!("note: {note}")));
        Ok(loaded)
    }

    /// Opens the model on a device that may record gradients; if not `frozen`, of all parts.
    ///
    /// # Errors
    /// The errors of [`ModelArgs::open`].
    pub fn open_on(
        &self,
        context: &Context,
        purpose: Purpose,
        device: &Device,
        frozen: bool,
    ) -> anyhow::Result<LoadedModel> {
        let path = PathBuf::from(&self.model);
        if is_run(&path) {
            if !matches!(self.dtype, Precision::F32) {
                let what = "`--dtype` is for published checkpoints: the parts of a run are kept as \
                    they were trained";
                let hint = "leave it out, or `toolkit convert` the run and give what that wrote";
                bail!(Problem::new(what).at(&self.model).hint(hint));
            }
            let run = self.run(context, &path, device);
            let cell = self.cell.as_deref();
            return Ok(match purpose {
                Purpose::Generate => run.open(cell)?.into(),
                Purpose::Compare => run.open_stage1_of(cell)?.into(),
            });
        }
        if path.join("spec.toml").is_file() && !path.join("config.json").is_file() {
            bail!(
                Problem::new("this run has no trained cell yet")
                    .at(path.display())
                    .hint("wait for it, or type its command again: it goes on where it was")
            );
        }
        let path = self.path(context)?;
        let task = context.log.task("parameters");
        let loading = Loading { device, kept: self.dtype.into(), frozen, progress: &task };
        let vlm = open(&path, loading)?;
        Progress::finish(&task);
        Ok(LoadedModel { vlm, of: None, cell: None })
    }

    /// Opens the bridge after the stage-1 run `key` of a run.
    ///
    /// # Errors
    /// If it is not there.
    pub fn open_stage1(&self, context: &Context, key: &str) -> anyhow::Result<LoadedModel> {
        let (path, device) = (PathBuf::from(&self.model), context.device()?);
        Ok(self.run(context, &path, &device).open_stage1(key)?.into())
    }

    fn run<'a>(
        &self,
        context: &'a Context,
        folder: &'a Path,
        device: &'a Device,
    ) -> TrainedRun<'a> {
        let (checkpoint, registry) = (self.checkpoint, &context.registry);
        TrainedRun { folder, registry, device, checkpoint, reporter: &context.log }
    }

    /// Returns a hash that changes with the name of the model and with its files: with size and
    /// time of each, and for a run with its checkpoints, which name their weights by hash.
    #[must_use]
    pub fn stamp(&self) -> String {
        let path = Path::new(&self.model);
        let mut files: Vec<PathBuf> =
            if path.is_dir() { entries(path) } else { vec![path.to_owned()] };
        for stages in ["stage1", "cells"] {
            let inner = |dir: PathBuf| {
                ["latest.json", "stage2/latest.json", "stage2/best.json"].map(|name| dir.join(name))
            };
            files.extend(entries(&path.join(stages)).into_iter().flat_map(inner));
        }
        let stamps = files.into_iter().map(|file| {
            let content = (file.ends_with("latest.json") || file.ends_with("best.json"))
                .then(|| toolkit_system::input::read_to_string(&file).ok());
            let data = std::fs::metadata(&file).ok().filter(std::fs::Metadata::is_file);
            let time =
                data.as_ref().filter(|_| content.is_none()).and_then(|data| data.modified().ok());
            format!("{} {:?} {time:?} {content:?}", file.display(), data.map(|data| data.len()))
        });
        let all: Vec<String> = stamps.collect();
        let Self { model, cell, checkpoint, dtype } = self;
        sha256_hex(format!("{model} {cell:?} {checkpoint} {dtype:?} {all:?}").as_bytes())
    }

    /// Returns the folder or file of a published checkpoint.
    ///
    /// # Errors
    /// If there is none.
    pub fn path(&self, context: &Context) -> anyhow::Result<PathBuf> {
        let path = PathBuf::from(&self.model);
        if path.exists() { Ok(path) } else { published(context, &self.model) }
    }
}

/// Returns the folder of a model card's weights.
fn published(context: &Context, name: &str) -> anyhow::Result<PathBuf> {
    if name.contains('/') || Path::new(name).extension().is_some() {
        let hint = "give the folder of a run, a checkpoint, or the name of a model card (`toolkit \
            list models`)";
        bail!(Problem::new("there is no such model").at(name).hint(hint));
    }
    let card = context.registry.card(Kind::Model, name)?;
    Ok(card.weights_folder()?)
}

/// Returns the best of the texts that were generated for a picture.
///
/// # Errors
/// If there is none.
pub fn best<T>(texts: &[T]) -> anyhow::Result<&T> {
    texts.first().ok_or_else(|| {
        anyhow!(Problem::new("nothing was written").hint("raise `--max-new-tokens`"))
    })
}
