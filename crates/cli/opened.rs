//! A model to use: from a run, a published checkpoint, or a card.

use crate::context::Context;
use crate::pictures::{BATCH, Unreadable, in_batches};
use crate::runs::{self, Cell};
use anyhow::{anyhow, bail};
use burn::module::Module;
use burn::tensor::{DType, Device, Tensor, TensorData};
use clap::{Args, ValueEnum};
use image::RgbImage;
use std::path::{Path, PathBuf};
use toolkit_core::{AnyBridge, Bridge, VisionShape, noise, params};
use toolkit_data::{Alpha, DataError, decode_as};
use toolkit_eval::{CaptionTask, Choice, Decoding, EarlyStopping, Generated, VqaTask};
use toolkit_hub::config::Stage1;
use toolkit_hub::model::Loading;
use toolkit_hub::processor::Processor;
use toolkit_hub::tokens::Words;
use toolkit_hub::{BridgePart, LanguagePart, Model, VisionPart};
use toolkit_models::bridge::qformer::{QFormer, QFormerConfig};
use toolkit_registry::{Card, Kind, sha256_hex};
use toolkit_train::features::round_like_cache;

/// How the matrices of the frozen parts are kept.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum Kept {
    /// As they are computed with
    #[default]
    F32,
    /// In half the memory, widened where they are used
    Bf16,
    /// In half the memory, widened where they are used
    F16,
    /// In 8-bit blocks of 32, little more than a quarter of the memory; large models write faster with it
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

/// Which model.
#[derive(Args)]
pub struct Which {
    /// Folder of a run, Hugging Face folder, LAVIS .pth with a config.json beside it, or name of a model card
    #[arg(value_name = "MODEL")]
    pub model: String,
    /// Cell of a run: a folder of MODEL/cells [default: the first one with stage 1]
    #[arg(long, value_name = "ID")]
    pub cell: Option<String>,
    /// How the matrices of the encoder and the language model are kept in memory
    #[arg(long, value_name = "TYPE", default_value = "f32")]
    pub dtype: Kept,
}

/// What a model is wanted for: a run has one checkpoint for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Writing text: the language model, behind the bridge after stage 2.
    Speak,
    /// Comparing with texts: the bridge after stage 1.
    Compare,
}

/// A model with what it is told by default.
pub struct Opened {
    /// The model.
    pub model: Model,
    /// Cell or stage-1 run that it is of.
    pub of: Option<String>,
    cell: Option<Cell>,
}

/// Entries right in a folder, in order of names; none if it is not there.
fn entries(dir: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path()).collect();
    all.sort();
    all
}

/// Whether a folder is that of a run.
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
        if let Some(note) = opened.model.processor.as_ref().and_then(|processor| processor.note.as_ref()) {
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
                    "`--dtype` is for published checkpoints: the parts of a run are kept as they were trained --> {}; hint: leave it out, or `toolkit convert` the run and give what that wrote",
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
                "this run has no trained cell yet --> {}; hint: wait for it, or type its command again: it goes on where it was",
                path.display()
            );
        }
        let path = self.path(context)?;
        let task = context.log.task("parameters");
        let loading = Loading { device, dtype: self.dtype.into(), frozen, progress: &task };
        let model = Model::open(&path, loading)?;
        toolkit_train::Progress::finish(&task);
        Ok(Opened { model, of: None, cell: None })
    }

    /// Hashes what names the model and tells whether its files are as they were: by size and time, and of a run by its
    /// checkpoints, which name their weights by hash.
    #[must_use]
    pub fn stamp(&self) -> String {
        let path = Path::new(&self.model);
        let mut files: Vec<PathBuf> = if path.is_dir() { entries(path) } else { vec![path.to_owned()] };
        for stages in ["stage1", "cells"] {
            let inner = |dir: PathBuf| [dir.join("latest.json"), dir.join("stage2/latest.json")];
            files.extend(entries(&path.join(stages)).into_iter().flat_map(inner));
        }
        let told = files.into_iter().map(|file| {
            let content = file.ends_with("latest.json").then(|| std::fs::read_to_string(&file).ok());
            let data = std::fs::metadata(&file).ok().filter(std::fs::Metadata::is_file);
            let time = data.as_ref().filter(|_| content.is_none()).and_then(|data| data.modified().ok());
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
        let (tokenizer, marks) = resolved.language_marks()?;
        let past = tokenizer.past_table().into_iter().collect();
        let connector = runs::connector(context, run, &cell, device)?;
        let bridge = concrete(&resolved.bridge.0, &resolved.vision.1, connector.bridge, device)?;
        let language = LanguagePart {
            model: resolved.language_model(&context.registry, device)?,
            shape: resolved.language.1.clone(),
            marks,
            projection: connector.language_projection,
            config: None,
        };
        Ok(Opened {
            model: Model {
                name: format!("{} cell {}", run.display(), cell.id),
                vision: Some(encoder(context, &cell, device)?),
                bridge,
                language: Some(language),
                words: Some(Words::of_cards(tokenizer)),
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
        cell: Cell,
        device: &Device,
    ) -> anyhow::Result<Opened> {
        let resolved = &cell.resolved;
        let bridge = runs::bridge(context, &run.join("stage1").join(&key), &cell, device)?;
        let (tokenizer, _) = resolved.text_marks()?;
        let past = tokenizer.past_table().into_iter().collect();
        Ok(Opened {
            model: Model {
                name: format!("{} stage 1 {key}", run.display()),
                vision: Some(encoder(context, &cell, device)?),
                bridge: concrete(&resolved.bridge.0, &resolved.vision.1, bridge, device)?,
                language: None,
                words: Some(Words::of_cards(tokenizer)),
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
fn stage1_of(context: &Context, run: &Path, id: &str) -> anyhow::Result<(String, Cell)> {
    let cell = runs::choose(context, run, Some(id))?;
    let manifest = std::fs::read(run.join("manifest.json")).unwrap_or_default();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap_or_default();
    let key = manifest["stage1"][id].as_str().map(str::to_owned);
    let hint = "choose a cell with `stage1.enabled = true`";
    Ok((key.ok_or_else(|| anyhow!("cell `{id}` had no stage 1 --> {}; hint: {hint}", run.display()))?, cell))
}

fn encoder(context: &Context, cell: &Cell, device: &Device) -> anyhow::Result<VisionPart> {
    let model = cell.resolved.encoder(&context.registry, device)?;
    Ok(VisionPart { model, shape: cell.resolved.vision.1.clone(), config: None })
}

fn stage1_settings(cell: &Cell) -> Stage1 {
    let marks = cell.resolved.text_marks().ok().map(|(_, marks)| marks);
    Stage1 {
        dec: marks.map_or(0, |marks| marks.dec),
        pad: marks.map_or(0, |marks| marks.pad),
        label_smoothing: cell.spec.stage1.smoothing,
    }
}

/// A Q-Former as one, any other bridge as it is.
fn concrete(card: &Card, vision: &VisionShape, bridge: AnyBridge, device: &Device) -> anyhow::Result<BridgePart> {
    if card.family != "qformer" {
        return Ok(BridgePart::Other(bridge));
    }
    let config: QFormerConfig = card.config()?;
    let mut values = params::export(&bridge);
    let model = params::map(QFormer::build(&config, vision, device), |info| values.remove(&info.name));
    Ok(BridgePart::QFormer { model: Box::new(model), config, text: true, caption: true })
}

/// The folder of a model card's weights.
fn published(context: &Context, name: &str) -> anyhow::Result<PathBuf> {
    if name.contains('/') || Path::new(name).extension().is_some() {
        bail!(
            "there is no such model --> {name}; hint: give the folder of a run, a checkpoint, or the name of a model card (`toolkit list models`)"
        );
    }
    let card = context.registry.card(Kind::Model, name)?;
    Ok(card.weights_folder()?)
}

/// Settings that published models are quoted with (BLIP-2 specification, section 1.9).
fn quoted(max_new_tokens: usize, length_penalty: f64) -> Decoding {
    let early_stopping = EarlyStopping::Heuristic;
    Decoding { beams: 5, max_new_tokens, min_new_tokens: 1, length_penalty, early_stopping, ..Decoding::default() }
}

impl Opened {
    /// What a caption continues, and how it is searched for.
    ///
    /// # Errors
    /// If the run's task card is wrong.
    pub fn caption(&self, context: &Context) -> anyhow::Result<(String, Decoding)> {
        let Some(cell) = &self.cell else { return Ok((String::new(), quoted(30, 1.0))) };
        let card = context.registry.card(Kind::Task, &cell.spec.eval.caption)?;
        let task = CaptionTask::from_card(&card, &[&cell.resolved.language.0])?;
        Ok((task.prompt, task.decoding))
    }

    /// The prompt with `{}` for a question, and how the answer is searched for.
    ///
    /// # Errors
    /// If the run's task card is wrong.
    pub fn vqa(&self, context: &Context) -> anyhow::Result<(String, Decoding)> {
        let Some(cell) = &self.cell else {
            // The paper's prompts (its section 4.1): one for OPT, one for Flan-T5.
            let short = self.model.language.as_ref().is_some_and(LanguagePart::encoder_decoder);
            let prompt = if short { "Question: {} Short answer:" } else { "Question: {} Answer:" };
            return Ok((prompt.to_owned(), quoted(10, -1.0)));
        };
        let card = context.registry.card(Kind::Task, &cell.spec.eval.vqa)?;
        let task = VqaTask::from_card(&card, &[&cell.resolved.language.0])?;
        Ok((task.prompt, task.decoding))
    }

    /// The cell's spec, of a run.
    #[must_use]
    pub fn cell(&self) -> Option<&Cell> {
        self.cell.as_ref()
    }

    /// Reads a picture file as the model sees it.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn picture(&self, path: &Path) -> Result<RgbImage, DataError> {
        match &self.model.processor {
            Some(processor) => processor.picture(path),
            // Without an encoder its features are refused with a hint.
            None => decode_as(path, Alpha::Drop),
        }
    }

    /// Features `[pictures, tokens, width]`; of a run as training saw them, rounded as the cache rounds.
    ///
    /// # Errors
    /// If the model has no encoder.
    pub fn features(&self, pictures: &[RgbImage]) -> anyhow::Result<Tensor<3>> {
        let vision = self.model.vision()?;
        let preprocess = self.model.processor()?.preprocess;
        let device = vision.model.devices().first().cloned().unwrap_or_default();
        let side = preprocess.size as usize;
        let parts = pictures.chunks(BATCH).map(|chunk| {
            let pixels: Vec<f32> = chunk.iter().flat_map(|picture| preprocess.apply(picture)).collect();
            let pixels = Tensor::from_data(TensorData::new(pixels, [chunk.len(), 3, side, side]), &device);
            let features = noise::off(|| vision.model.encode(pixels));
            if self.cell.is_some() { round_like_cache(features) } else { features }
        });
        Ok(Tensor::cat(parts.collect(), 0))
    }

    /// Lets the language model continue `prompt` behind each picture, and gives what it wrote to `told` as it comes.
    ///
    /// # Errors
    /// If a picture cannot be read, the checkpoint cannot speak, or settings are not right; those of `told`.
    pub fn caption_each(
        &self,
        context: &Context,
        files: &[PathBuf],
        unreadable: Unreadable,
        prompt: &str,
        decoding: &Decoding,
        mut told: impl FnMut(&Path, &[Written]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        decoding.check()?;
        self.model.language()?;
        self.note_special_tokens(context, &[prompt.to_owned()])?;
        in_batches(context, self, files, unreadable, |places, pictures| {
            let prefix = self.prefix(pictures)?;
            let prompts = vec![prompt.to_owned(); pictures.len()];
            for (at, texts) in places.iter().zip(self.write(prefix, &prompts, decoding)?) {
                told(&files[*at], &texts)?;
            }
            Ok(())
        })
    }

    /// Lets the language model continue each of `prompts` behind the same picture.
    ///
    /// # Errors
    /// If the picture cannot be read, the checkpoint cannot speak, or settings are not right.
    pub fn ask(&self, file: &Path, prompts: &[String], decoding: &Decoding) -> anyhow::Result<Vec<Vec<Written>>> {
        decoding.check()?;
        self.model.language()?;
        let prefix = self.prefix(&[self.picture(file)?])?;
        let mut all = Vec::new();
        for prompts in prompts.chunks(BATCH) {
            // The picture is encoded once, whatever is asked of it.
            let prefix = prefix.clone().repeat_dim(0, prompts.len());
            all.extend(self.write(prefix, prompts, decoding)?);
        }
        Ok(all)
    }

    /// Ranks `choices` behind each of `prompts` and the picture, the most probable one first.
    ///
    /// # Errors
    /// If the picture cannot be read, the checkpoint cannot speak, or a choice is no text.
    pub fn choose(&self, file: &Path, prompts: &[String], choices: &[String]) -> anyhow::Result<Vec<Vec<Ranked>>> {
        let (language, words) = (self.model.language()?, self.model.words()?);
        let prefix = self.prefix(&[self.picture(file)?])?;
        let mut all = Vec::new();
        for prompt in prompts {
            let scored = choices.iter().zip(language.choices(words, prefix.clone(), prompt, choices)?);
            let mut ranked: Vec<Ranked> = scored.map(|(text, choice)| Ranked::new(text, choice)).collect();
            ranked.sort_by(|a, b| b.log_prob.total_cmp(&a.log_prob));
            all.push(ranked);
        }
        Ok(all)
    }

    /// Logs special tokens that are spelt out in prompts: they are read as such, which is seldom meant.
    ///
    /// # Errors
    /// If the checkpoint has no tokenizer.
    pub fn note_special_tokens(&self, context: &Context, prompts: &[String]) -> anyhow::Result<()> {
        if let Some(note) = self.model.words()?.spelt_out(prompts.iter().map(String::as_str)) {
            context.log.line(&format!("note: {note}"));
        }
        Ok(())
    }

    /// Makes the soft prefix of pictures, `[pictures, queries, embedding width]`.
    ///
    /// # Errors
    /// If the model has no encoder or no language model.
    pub fn prefix(&self, pictures: &[RgbImage]) -> anyhow::Result<Tensor<3>> {
        let (language, features) = (self.model.language()?, self.features(pictures)?);
        Ok(noise::off(|| language.prefix(self.model.queries(features))))
    }

    /// Lets the language model continue a prompt behind each row of `prefix`.
    fn write(&self, prefix: Tensor<3>, prompts: &[String], decoding: &Decoding) -> anyhow::Result<Vec<Vec<Written>>> {
        let (language, words) = (self.model.language()?, self.model.words()?);
        let prompts = prompts.iter().map(|p| words.prompt(p, language.marks, language.encoder_decoder()));
        let prompts = prompts.collect::<Result<Vec<Vec<u32>>, _>>()?;
        let written = language.writer().continue_texts(Some(prefix), &prompts, decoding)?;
        let one = |text: Generated| {
            let finished = text.finished();
            Ok(Written { text: words.text(&text.ids)?, ids: text.ids, score: text.score, finished })
        };
        written.into_iter().map(|texts| texts.into_iter().take(decoding.answers).map(one).collect()).collect()
    }
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

/// An answer of a list with its score.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Ranked {
    /// The answer.
    pub text: String,
    /// Summed log-probability of its tokens and the end.
    pub log_prob: f64,
    /// The same by the number of tokens.
    pub mean_log_prob: f64,
}

impl Ranked {
    fn new(text: &str, choice: Choice) -> Self {
        Self { text: text.to_owned(), log_prob: choice.log_prob, mean_log_prob: choice.mean_log_prob }
    }
}

/// The best text of each picture, and the others if more than one was asked for.
///
/// # Errors
/// If nothing was written.
pub fn best(texts: &[Written]) -> anyhow::Result<&Written> {
    texts.first().ok_or_else(|| anyhow!("nothing was written; hint: raise `--max-new-tokens`"))
}

/// The numbers of a matrix, row by row.
#[must_use]
pub fn rows(matrix: Tensor<2>) -> Vec<Vec<f32>> {
    let width = matrix.dims()[1].max(1);
    params::floats(matrix).chunks(width).map(<[f32]>::to_vec).collect()
}
