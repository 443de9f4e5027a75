//! Stage 2, generative learning with the language model frozen (BLIP-2, section 3.2; LAVIS
//! `blip2_opt.py`, `blip2_t5.py`).

use crate::TrainError;
use crate::fit::{Objective, StepLoss};
use crate::losses::{next_token_loss_sum, scalar};
use crate::source::{Source, counts};
use crate::text::draw_caption;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Device, Tensor};
use toolkit_core::recompute::{self, Recorded};
use toolkit_core::{
    AnyLanguage, EncoderOutput, LanguageKind, LanguageSpecialTokens, Side, Stream, noise, pad,
};
use toolkit_models::connector::Connector;

/// Longest text in tokens, special ones included (LAVIS: `max_txt_len` 32).
///
/// In front of a decoder-only model a longer text loses its end token with the rest, as in LAVIS.
pub const MAX_TEXT: usize = 32;

/// Token ids that the language model reads, and those that it writes.
type TextPair = (Vec<u32>, Vec<u32>);

/// Number of images whose captions [`Stage2::blind_loss`] is measured on.
const BLIND_IMAGES: usize = 256;

/// The objective of stage 2.
pub struct Stage2 {
    /// Frozen language model, on the autodiff device. No parameter requires a gradient.
    pub language: AnyLanguage,
    /// Kind of the language model.
    pub kind: LanguageKind,
    /// Special ids of the language model's tokenizer.
    pub special_tokens: LanguageSpecialTokens,
    /// Samples of each step. Captions are token ids, without special ids.
    pub source: Box<dyn Source>,
    /// Micro-batches of a step. The result equals that of one batch.
    pub accumulate: usize,
    /// `true` if the frozen language model's dropout is on, at the rate of its card's `[config]`.
    ///
    /// LAVIS leaves it on. Here the default of experiments is off.
    pub language_dropout: bool,
    /// `true` if the language model's blocks run again in the backward pass, so that their
    /// activations need no memory. The result is the same.
    pub recompute: bool,
    /// Loss of the language model without a prefix, [`Stage2::blind_loss`]. A loss near it means
    /// that the language model ignores the image.
    pub blind: f64,
    /// Seed of the random numbers.
    pub seed: u64,
    /// Autodiff device.
    pub device: Device,
}

/// Computes the loss of captions behind soft prefixes, summed over tokens.
///
/// `prefix` is `[batch, queries, width]` and has no labels.
#[must_use]
pub fn decoder_only_loss_sum(
    language: &AnyLanguage,
    prefix: Tensor<3>,
    texts: &[Vec<u32>],
    special_tokens: LanguageSpecialTokens,
) -> Tensor<1> {
    let [batch, queries, _] = prefix.dims();
    let device = prefix.device();
    let text = pad(texts, special_tokens.pad, Side::Right, &device);
    let [_, tokens] = text.ids.dims();
    let ones = Tensor::<2>::ones([batch, queries], &device);
    let mask = Tensor::cat(vec![ones, text.mask], 1);
    // The last text token predicts nothing, so it need not be read.
    let embeds =
        Tensor::cat(vec![prefix, language.embed(text.ids)], 1).narrow(1, 0, queries + tokens - 1);
    // The last query predicts the first text token.
    let hidden =
        language.decode_last(embeds, mask.narrow(1, 0, queries + tokens - 1), None, None, tokens);
    next_token_loss_sum(language, hidden, texts)
}

/// Computes the loss of `outputs` in the decoder, summed over tokens.
///
/// The encoder reads the soft prefix `[batch, queries, width]` and then `inputs`.
#[must_use]
pub fn encoder_decoder_loss_sum(
    language: &AnyLanguage,
    prefix: Tensor<3>,
    inputs: &[Vec<u32>],
    outputs: &[Vec<u32>],
    special_tokens: LanguageSpecialTokens,
) -> Tensor<1> {
    let [batch, queries, _] = prefix.dims();
    let device = prefix.device();
    let input = pad(inputs, special_tokens.pad, Side::Right, &device);
    let mask = Tensor::cat(vec![Tensor::<2>::ones([batch, queries], &device), input.mask], 1);
    let memory = language.encode(Tensor::cat(vec![prefix, language.embed(input.ids)], 1), mask);
    decoded_loss_sum(language, &memory, outputs, special_tokens, &device)
}

/// Computes the loss of `outputs` in the decoder, given the encoder's output `memory`.
fn decoded_loss_sum(
    language: &AnyLanguage,
    memory: &EncoderOutput,
    outputs: &[Vec<u32>],
    special_tokens: LanguageSpecialTokens,
    device: &Device,
) -> Tensor<1> {
    let shifted: Vec<Vec<u32>> = outputs
        .iter()
        .map(|o| {
            std::iter::once(special_tokens.decoder_start)
                .chain(o[..o.len() - 1].iter().copied())
                .collect()
        })
        .collect();
    let read = pad(&shifted, special_tokens.pad, Side::Right, device);
    let hidden = language.decode(language.embed(read.ids), read.mask, Some(memory), None);
    next_token_loss_sum(language, hidden, outputs)
}

impl Stage2 {
    /// Returns the token ids that the language model reads and writes for one caption.
    ///
    /// For an encoder-decoder the caption is split into a prefix and the rest. The split is drawn
    /// uniformly from 1 to the middle (LAVIS issue 139; not in the public code).
    fn texts(&self, caption: &[u32], draw: &mut Stream) -> TextPair {
        match self.kind {
            LanguageKind::DecoderOnly => {
                let ids = self
                    .special_tokens
                    .bos
                    .into_iter()
                    .chain(caption.iter().copied())
                    .chain([self.special_tokens.eos.first()]);
                (Vec::new(), ids.take(MAX_TEXT).collect())
            }
            LanguageKind::EncoderDecoder => {
                let caption = &caption[..caption.len().min(MAX_TEXT)];
                let split = draw.between(1, (caption.len() / 2).max(1)).min(caption.len());
                let with_end = |ids: &[u32]| {
                    ids.iter()
                        .copied()
                        .chain([self.special_tokens.eos.first()])
                        .collect::<Vec<u32>>()
                };
                (with_end(&caption[..split]), with_end(&caption[split..]))
            }
        }
    }

    /// Computes the loss per scored token of the first images' captions without an image.
    ///
    /// `language` is on a device without autodiff. The distance of the loss of training to this
    /// value is due to the image. A leading `bos` counts as known: it is a label behind a prefix,
    /// and it carries no information.
    ///
    /// # Errors
    /// If an image has no caption.
    pub fn blind_loss(&self, language: &AnyLanguage) -> Result<f64, TrainError> {
        let mut draw = Stream::new(self.seed, "stage2/blind", 0);
        let images = self.source.len().min(BLIND_IMAGES);
        let mut texts = Vec::with_capacity(images);
        for image in 0..images {
            let sample = self.source.text(image)?;
            texts.push(self.texts(draw_caption(&sample, &mut draw)?, &mut draw));
        }
        let device = self.device.clone().without_autodiff();
        let (mut sum, mut scored) = (0.0, 0);
        for chunk in texts.chunks(32) {
            let outputs: Vec<Vec<u32>> = chunk.iter().map(|text| text.1.clone()).collect();
            // Without a `bos` nothing precedes the first word, so it is not scored.
            let unread = usize::from(
                self.kind == LanguageKind::DecoderOnly && self.special_tokens.bos.is_none(),
            );
            scored += outputs.iter().map(|output| output.len() - unread).sum::<usize>();
            let loss = noise::off(|| match self.kind {
                LanguageKind::DecoderOnly => {
                    let text = pad(&outputs, self.special_tokens.pad, Side::Right, &device);
                    let next = text.ids.dims()[1] - 1;
                    if next == 0 {
                        return Tensor::zeros([1], &device);
                    }
                    let (ids, mask) = (text.ids.narrow(1, 0, next), text.mask.narrow(1, 0, next));
                    let hidden = language.decode(language.embed(ids), mask, None, None);
                    let labels: Vec<Vec<u32>> =
                        outputs.iter().map(|ids| ids[1.min(ids.len())..].to_vec()).collect();
                    next_token_loss_sum(language, hidden, &labels)
                }
                LanguageKind::EncoderDecoder => {
                    let inputs: Vec<Vec<u32>> = chunk.iter().map(|text| text.0.clone()).collect();
                    let input = pad(&inputs, self.special_tokens.pad, Side::Right, &device);
                    let memory = language.encode(language.embed(input.ids), input.mask);
                    decoded_loss_sum(language, &memory, &outputs, self.special_tokens, &device)
                }
            });
            sum += scalar(&loss);
        }
        Ok(sum / scored.max(1) as f64)
    }
}

impl Objective<Connector> for Stage2 {
    fn step(&mut self, model: &Connector, step: u64) -> Result<StepLoss, TrainError> {
        let samples = self.source.samples(step)?;
        let mut draw = Stream::new(self.seed, "stage2/caption", step);
        let texts: Result<Vec<TextPair>, TrainError> = (samples.iter())
            .map(|sample| {
                let caption = draw_caption(sample, &mut draw)?;
                Ok(self.texts(caption, &mut draw))
            })
            .collect();
        let texts = texts?;
        let scored: usize = texts.iter().map(|(_, output)| output.len()).sum();
        let mut accumulated = GradientsAccumulator::new();
        let mut sum = 0.0;
        let rows: Vec<usize> = (0..samples.len()).collect();
        let size = rows.len().div_ceil(self.accumulate.max(1));
        for (m, micro) in rows.chunks(size).enumerate() {
            let features = self.source.features(step, micro, &self.device)?;
            match rows.chunks(size).nth(m + 1) {
                Some(next) => self.source.read_ahead(step, next),
                None => self.source.prepare(step + 1, &|_| rows[..size].to_vec()),
            }
            let prefix = model.prefix(features);
            let outputs: Vec<Vec<u32>> = micro.iter().map(|&i| texts[i].1.clone()).collect();
            let run = || match self.kind {
                LanguageKind::DecoderOnly => {
                    decoder_only_loss_sum(&self.language, prefix, &outputs, self.special_tokens)
                }
                LanguageKind::EncoderDecoder => {
                    let inputs: Vec<Vec<u32>> = micro.iter().map(|&i| texts[i].0.clone()).collect();
                    encoder_decoder_loss_sum(
                        &self.language,
                        prefix,
                        &inputs,
                        &outputs,
                        self.special_tokens,
                    )
                }
            };
            let run =
                || if self.language_dropout { run() } else { noise::off(run) } / scored as f64;
            let (loss, recorded) = match self.recompute {
                true => recompute::scope(run),
                false => (run(), Recorded::default()),
            };
            sum += scalar(&loss);
            recorded.backward(&loss, |grads| {
                accumulated.accumulate(model, GradientsParams::from_grads(grads, model))
            });
        }
        let metrics = [("loss", sum), ("loss_lm", sum), ("trivial_lm", self.blind)];
        let metrics = metrics.into_iter().map(|(name, value)| (name.to_owned(), value));
        Ok(StepLoss {
            grads: accumulated.grads(),
            metrics: metrics.chain(counts(&samples)).collect(),
            images: samples.len(),
            tokens: texts.iter().map(|(input, output)| input.len() + output.len()).sum(),
            waited: self.source.waited(),
            samples: samples.iter().map(|sample| sample.row).collect(),
        })
    }
}
