//! Pre-training of language models: text about scenes, never a picture.
//!
//! Each sample is about one scene: one caption as context, then another caption of the same scene
//! or a question with its answer. So the model learns to paraphrase its context and to answer from
//! it. Later a soft prefix takes the place of the context. Some samples have no context, so that
//! the blind control is in distribution.

use super::{encoded, padded_labels};
use crate::TrainError;
use crate::fit::{Objective, StepLoss};
use crate::losses::{scalar, token_loss_sum};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use toolkit_core::{AnyLanguage, LanguageKind, Side, Stream, pad};
use toolkit_data::World;
use toolkit_tokenizer::TextTokenizer;

/// The objective of language models of both kinds.
pub struct ReadText {
    /// Source of the text.
    pub world: Arc<World>,
    /// Seed of the text.
    pub seed: u64,
    /// Number of samples of a step.
    pub batch: usize,
    /// Decoder-only or encoder-decoder.
    pub kind: LanguageKind,
    /// Tokenizer of the model.
    pub tokenizer: TextTokenizer,
    /// Prompt of the model's card, such as `question: {} answer:`.
    pub question_prompt: String,
    /// Weight of an answer's token; a caption's token has weight 1.
    ///
    /// Answers are one or two tokens long. At weight 1 they would be a tenth of the loss, though
    /// they are more than half of the samples.
    pub answer_weight: f32,
    /// Autodiff device.
    pub device: Device,
}

/// Kind of the samples without a question.
const CAPTION: &str = "caption";

/// A sample, as token ids.
struct Sample {
    /// Caption that is read; may be empty.
    context: Vec<u32>,
    /// Question or first part of a caption that is read after the context; may be empty.
    prompt: Vec<u32>,
    /// Text that is written.
    target: Vec<u32>,
    /// Kind of the question, or [`CAPTION`].
    kind: String,
}

impl Sample {
    /// Returns the number of its tokens.
    fn tokens(&self) -> usize {
        self.context.len() + self.prompt.len() + self.target.len()
    }
}

/// Words that a caption can lose without a change of meaning.
const SMALL_WORDS: [&str; 12] =
    ["a", "an", "the", "of", "is", "are", "there", "photo", "picture", "image", "and", ","];

/// Purpose of a sample.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Training,
    AnswersWithContext,
    AnswersBlind,
}

impl ReadText {
    /// Draws sample number `at`.
    ///
    /// # Errors
    /// If a text cannot be encoded.
    fn sample(&self, at: u64, purpose: Use) -> Result<Sample, TrainError> {
        let mut draw = Stream::new(self.seed, "pretrain/text", at);
        let text = self.world.text(self.seed, at);
        let encode = |text: &str| encoded(&self.tokenizer, text);
        let mut captions: Vec<usize> = (0..text.captions.len()).collect();
        draw.shuffle(&mut captions);
        let question = (purpose != Use::Training || draw.chance(0.6)) && !text.questions.is_empty();
        let blind = match purpose {
            Use::Training => draw.chance(0.08),
            Use::AnswersWithContext => false,
            Use::AnswersBlind => true,
        };
        let mut context = if blind { Vec::new() } else { encode(&text.captions[captions[0]])? };
        if purpose == Use::Training && draw.chance(0.5) {
            context = self.telegraphic(context, &mut draw);
        }
        if question {
            let q = draw.choose(&text.questions);
            let prompt = encode(&self.question_prompt.replace("{}", &q.text))?;
            return Ok(Sample {
                context,
                prompt,
                target: encode(&q.answers[0])?,
                kind: q.kind.clone(),
            });
        }
        let mut target = encode(&text.captions[captions[captions.len() - 1]])?;
        let mut prompt = Vec::new();
        if self.kind == LanguageKind::EncoderDecoder && draw.chance(0.5) {
            // Prefix language modelling, as in stage 2: the encoder reads a first part, the decoder
            // writes the rest.
            let split = draw.between(1, (target.len() / 2).max(1));
            prompt = target.drain(..split).collect();
        }
        Ok(Sample { context, prompt, target, kind: CAPTION.to_owned() })
    }

    /// Removes small words from a context and inserts unknown ones; the meaning stays the same.
    ///
    /// A model that has read fluent sentences only finds words by their positions. Soft prefixes
    /// have no such order. The training text of large language models is noisier than this.
    fn telegraphic(&self, context: Vec<u32>, draw: &mut Stream) -> Vec<u32> {
        let t = &self.tokenizer;
        let small: Vec<u32> = SMALL_WORDS.iter().filter_map(|word| t.id(word)).collect();
        let mut words: Vec<u32> = context.into_iter().filter(|id| !small.contains(id)).collect();
        for _ in 0..draw.below(5) {
            words.insert(draw.below(words.len() + 1), t.unk.unwrap_or(0));
        }
        words
    }

    /// Returns the token ids of one sample: encoder ids (empty for decoder-only), decoder ids, and
    /// for each decoder position the weight of the next token.
    fn rows(&self, sample: &Sample, score_all: bool) -> (Vec<u32>, Vec<u32>, Vec<f32>) {
        let t = &self.tokenizer;
        let eos = t.eos.map_or(0, |ends| ends.first());
        let weight = if sample.kind == CAPTION { 1.0 } else { self.answer_weight };
        match self.kind {
            LanguageKind::DecoderOnly => {
                let mut ids = sample.context.clone();
                ids.push(t.bos.unwrap_or(eos));
                ids.extend(&sample.prompt);
                let first_target = ids.len();
                ids.extend(&sample.target);
                ids.push(eos);
                let read = if score_all { 1.0 } else { 0.0 };
                let scored = (1..ids.len())
                    .map(|next| if next >= first_target { weight } else { read })
                    .collect();
                (Vec::new(), ids, scored)
            }
            LanguageKind::EncoderDecoder => {
                let mut read = sample.context.clone();
                read.extend(&sample.prompt);
                read.push(eos);
                let mut written = vec![t.decoder_start.unwrap_or(0)];
                written.extend(&sample.target);
                written.push(eos);
                let scored = vec![weight; written.len() - 1];
                (read, written, scored)
            }
        }
    }

    /// Computes logits `[batch, tokens, vocab]` for the next tokens.
    ///
    /// Returns labels and weights too.
    fn forward(
        &self,
        model: &AnyLanguage,
        samples: &[Sample],
        score_all: bool,
        device: &Device,
    ) -> (Tensor<3>, Vec<Vec<u32>>, Vec<Vec<f32>>) {
        let rows: Vec<_> = samples.iter().map(|s| self.rows(s, score_all)).collect();
        let padding = self.tokenizer.pad.unwrap_or(0);
        let inputs: Vec<Vec<u32>> = rows.iter().map(|r| r.1[..r.1.len() - 1].to_vec()).collect();
        let input = pad(&inputs, padding, Side::Right, device);
        let memory = (self.kind == LanguageKind::EncoderDecoder).then(|| {
            let read: Vec<Vec<u32>> = rows.iter().map(|r| r.0.clone()).collect();
            let read = pad(&read, padding, Side::Right, device);
            model.encode(model.embed(read.ids), read.mask)
        });
        let hidden = model.decode(model.embed(input.ids), input.mask, memory.as_ref(), None);
        let labels = rows.iter().map(|r| r.1[1..].to_vec()).collect();
        (model.logits(hidden), labels, rows.into_iter().map(|r| r.2).collect())
    }

    /// Measures the share of exact answers, for each kind of question and over all (`all`).
    ///
    /// The `count` samples are none of the training's. The model reads the caption, unless `blind`.
    /// Every token of an answer must be the likeliest one, as in greedy decoding.
    ///
    /// # Errors
    /// If a text cannot be encoded.
    pub fn answers(
        &self,
        model: &AnyLanguage,
        count: usize,
        blind: bool,
    ) -> Result<BTreeMap<String, f64>, TrainError> {
        let device = self.device.clone().without_autodiff();
        let purpose = if blind { Use::AnswersBlind } else { Use::AnswersWithContext };
        let mut hits: BTreeMap<String, (f64, f64)> = BTreeMap::new();
        for start in (0..count).step_by(64) {
            let samples =
                (start..count.min(start + 64)).map(|i| self.sample((1 << 40) + i as u64, purpose));
            let samples = samples.collect::<Result<Vec<Sample>, _>>()?;
            let (logits, labels, weights) = self.forward(model, &samples, false, &device);
            let [_, tokens, _] = logits.dims();
            let best = logits
                .argmax(2)
                .into_data()
                .convert::<i32>()
                .try_into_vec::<i32>()
                .unwrap_or_default();
            for (row, sample) in samples.iter().enumerate() {
                let right = (labels[row].iter().zip(&weights[row]).enumerate()).all(
                    |(at, (label, weight))| {
                        *weight == 0.0 || best[row * tokens + at] == *label as i32
                    },
                );
                for name in [sample.kind.as_str(), "all"] {
                    let entry = hits.entry(name.to_owned()).or_default();
                    entry.0 += f64::from(u8::from(right));
                    entry.1 += 1.0;
                }
            }
        }
        Ok(hits.into_iter().map(|(name, (hit, all))| (name, hit / all)).collect())
    }
}

impl Objective<AnyLanguage> for ReadText {
    fn step(&mut self, model: &AnyLanguage, step: u64) -> Result<StepLoss, TrainError> {
        let first = step * self.batch as u64;
        let samples = (0..self.batch as u64).map(|i| self.sample(first + i, Use::Training));
        let samples = samples.collect::<Result<Vec<Sample>, _>>()?;
        let device = self.device.clone();
        let (logits, labels, weights) = self.forward(model, &samples, true, &device);
        let (labels, weights, count) = padded_labels(&labels, &weights, &device);
        let loss = token_loss_sum(logits, labels, weights, 0.0) / count;
        let metrics = vec![("loss".to_owned(), scalar(&loss))];
        let grads = GradientsParams::from_grads(loss.backward(), model);
        Ok(StepLoss {
            grads,
            metrics,
            samples: (0..self.batch).map(|i| first as usize + i).collect(),
            images: 0,
            tokens: samples.iter().map(Sample::tokens).sum(),
            waited: Duration::ZERO,
        })
    }
}
