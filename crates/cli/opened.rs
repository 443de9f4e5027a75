//! A model in use: what it makes of pictures and prompts.

use crate::context::Context;
use crate::pictures::{BATCH, Unreadable, in_batches};
use crate::runs::RunCell;
use anyhow::anyhow;
use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use image::RgbImage;
use std::path::{Path, PathBuf};
use toolkit_checkpoints::{LanguagePart, Model};
use toolkit_core::{noise, params};
use toolkit_data::{Alpha, DataError, decode_as};
use toolkit_eval::{CaptionTask, VqaTask};
use toolkit_registry::Kind;
use toolkit_train::features::round_like_cache;
use toolkit_vlm::{Choice, Decoding, EarlyStopping, Generated};

/// A model with what it is told by default.
pub struct Opened {
    /// The model.
    pub model: Model,
    /// Cell or stage-1 run that it is of.
    pub of: Option<String>,
    /// The cell, of a run.
    pub(crate) cell: Option<RunCell>,
}

/// Settings that published models are quoted with (BLIP-2 specification, section 1.9).
fn quoted(max_new_tokens: usize, length_penalty: f64) -> Decoding {
    let early_stopping = EarlyStopping::Heuristic;
    Decoding {
        beams: 5,
        max_new_tokens,
        min_new_tokens: 1,
        length_penalty,
        early_stopping,
        ..Decoding::default()
    }
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
    pub fn cell(&self) -> Option<&RunCell> {
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

    /// Features `[pictures, tokens, width]`; of a run as training saw them, rounded as the cache
    /// rounds.
    ///
    /// # Errors
    /// If the model has no encoder.
    pub fn features(&self, pictures: &[RgbImage]) -> anyhow::Result<Tensor<3>> {
        let vision = self.model.vision()?;
        let preprocess = self.model.processor()?.preprocess;
        let device = vision.model.devices().first().cloned().unwrap_or_default();
        let side = preprocess.size as usize;
        let parts = pictures.chunks(BATCH).map(|chunk| {
            let pixels: Vec<f32> =
                chunk.iter().flat_map(|picture| preprocess.apply(picture)).collect();
            let pixels =
                Tensor::from_data(TensorData::new(pixels, [chunk.len(), 3, side, side]), &device);
            let features = noise::off(|| vision.model.encode(pixels));
            if self.cell.is_some() { round_like_cache(features) } else { features }
        });
        Ok(Tensor::cat(parts.collect(), 0))
    }

    /// Lets the language model continue `prompt` behind each picture, and gives what it wrote to
    /// `told` as it comes.
    ///
    /// # Errors
    /// If a picture cannot be read, the checkpoint cannot speak, or settings are not right; those
    /// of `told`.
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
    pub fn ask(
        &self,
        file: &Path,
        prompts: &[String],
        decoding: &Decoding,
    ) -> anyhow::Result<Vec<Vec<Written>>> {
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
    pub fn choose(
        &self,
        file: &Path,
        prompts: &[String],
        choices: &[String],
    ) -> anyhow::Result<Vec<Vec<Ranked>>> {
        let (language, words) = (self.model.language()?, self.model.words()?);
        let prefix = self.prefix(&[self.picture(file)?])?;
        let mut all = Vec::new();
        for prompt in prompts {
            let scored =
                choices.iter().zip(language.choices(words, prefix.clone(), prompt, choices)?);
            let mut ranked: Vec<Ranked> =
                scored.map(|(text, choice)| Ranked::new(text, choice)).collect();
            ranked.sort_by(|a, b| b.log_prob.total_cmp(&a.log_prob));
            all.push(ranked);
        }
        Ok(all)
    }

    /// Logs special tokens that are spelt out in prompts: they are read as such, which is seldom
    /// meant.
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
    fn write(
        &self,
        prefix: Tensor<3>,
        prompts: &[String],
        decoding: &Decoding,
    ) -> anyhow::Result<Vec<Vec<Written>>> {
        let (language, words) = (self.model.language()?, self.model.words()?);
        let prompts = prompts.iter().map(|p| {
            words
                .refuse_placeholder(p)
                .and_then(|()| words.prompt(p, language.special_tokens, language.shape.kind))
        });
        let prompts = prompts.collect::<Result<Vec<Vec<u32>>, _>>()?;
        let written = language.generator(None).generate(Some(prefix), &prompts, decoding)?;
        let one = |text: Generated| {
            let finished = text.finished();
            Ok(Written { text: words.text(&text.ids)?, ids: text.ids, score: text.score, finished })
        };
        written
            .into_iter()
            .map(|texts| texts.into_iter().take(decoding.answers).map(one).collect())
            .collect()
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
        Self {
            text: text.trim().to_owned(),
            log_prob: choice.log_prob,
            mean_log_prob: choice.mean_log_prob,
        }
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
