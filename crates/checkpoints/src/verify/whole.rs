//! A whole model: features, queries, logits, generated ids, losses with gradients, matching.

use super::compare::Outputs;
use super::{Reference, gradients, ids};
use crate::CheckpointError;
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use toolkit_core::params::Values;
use toolkit_core::published::Scheme;
use toolkit_core::{LanguageKind, Pair, TextTower, noise, similarity};
use toolkit_train::losses::token_loss_sum;
use toolkit_vlm::{Decoding, EarlyStopping, Generated, Generator, LanguagePart, Vlm};

/// Relative positions have no end; texts of references have.
const MOST_TOKENS: usize = 4096;

/// The text of the reference.
struct Text {
    rows: Vec<Vec<i64>>,
    mask_rows: Vec<Vec<i64>>,
    ids: Tensor<2, Int>,
    mask: Tensor<2>,
}

impl Text {
    /// `batch` texts of at most `most` tokens of `vocab`.
    fn read(
        reference: &Reference,
        batch: usize,
        most: usize,
        vocab: usize,
        device: &Device,
    ) -> Result<Self, CheckpointError> {
        let rows = reference.tokens("input_ids", batch, most, vocab)?;
        let mask_rows = reference.mask("attention_mask", &rows)?;
        let (ids, mask) = (ids(&rows, device), ids(&mask_rows, device).float());
        Ok(Self { rows, mask_rows, ids, mask })
    }

    /// The real tokens of each row.
    fn real(&self) -> Vec<Vec<u32>> {
        let real = |(row, mask): (&Vec<i64>, &Vec<i64>)| {
            row.iter().zip(mask).filter(|(_, m)| **m != 0).map(|(&id, _)| id as u32).collect()
        };
        self.rows.iter().zip(&self.mask_rows).map(real).collect()
    }
}

/// Computes whatever the checkpoint has parts for.
pub(super) fn run(
    model: &Vlm,
    reference: &Reference,
    outputs: &mut Outputs<'_>,
) -> Result<(), CheckpointError> {
    let vision = model.vision()?;
    let Some(bridge) = model.bridge.qformer() else {
        let hint = "references are of published checkpoints, which have one";
        return Err(CheckpointError::new("the bridge is no Q-Former", model.name.clone(), hint));
    };
    let device = bridge.devices().first().cloned().unwrap_or_default();
    let vision_device = vision.model.devices().first().cloned().unwrap_or_default();
    noise::off(|| {
        // 1. The encoder. A frozen one is on a plain device; what it saw is handed over as data.
        let features = vision.model.encode(reference.pixels(&vision.shape, &vision_device)?);
        let batch = features.dims()[0];
        let features = match vision_device.is_autodiff() == device.is_autodiff() {
            true => features,
            false => Tensor::from_data(features.into_data(), &device),
        };
        let normalised = bridge.normalise(features);
        outputs.put("vision.last_hidden_state", normalised.clone());

        // 2. The bridge.
        let pass = bridge.query_pass(bridge.keys_values_normalised(&normalised));
        outputs.put("qformer.last_hidden_state", pass.queries.clone());

        // 3. The text side.
        if let (Ok(tower), Some(shape)) = (model.text_tower(), &model.bridge.shape.text) {
            let text = Text::read(reference, batch, shape.positions, shape.vocab, &device)?;
            let logits = tower.match_logits(
                &pass.cross,
                &Pair::own(batch),
                text.ids.clone(),
                text.mask.clone(),
            );
            outputs.put("itm.logits", logits);
            let images = tower.image_embeds(pass.queries.clone());
            let texts = tower.text_embeds(text.ids, text.mask);
            outputs.put("itc.image_embeds", images.clone());
            outputs.put("itc.text_embeds", texts.clone());
            outputs.put("itc.logits_per_image", similarity(images, texts));
        }

        // 4. The language model.
        if let Some(language) = &model.language {
            let prefix = language.prefix(pass.queries);
            let shape = &language.shape;
            let most = shape
                .positions
                .map_or(MOST_TOKENS, |positions| positions.saturating_sub(prefix.dims()[1]));
            let text = Text::read(reference, batch, most, shape.vocab, &device)?;
            generate(language, reference, prefix.clone(), &text, outputs)?;
            let logits = logits(language, prefix, &text, reference, &device)?;
            outputs.put("language.logits", logits.clone());
            if reference.wants("stage2.loss") {
                let loss = loss(language, logits, &text, reference, &device)?;
                outputs.put("stage2.loss", loss.clone());
                if device.is_autodiff() {
                    gradients::put(
                        model,
                        loss,
                        Scheme::HuggingFace,
                        "stage2.grad.",
                        reference,
                        outputs,
                    );
                }
            }
        }
        Ok(())
    })
}

/// Decoder-only: over queries, then text. Encoder-decoder: over the decoder's ids.
fn logits(
    language: &LanguagePart,
    prefix: Tensor<3>,
    text: &Text,
    reference: &Reference,
    device: &Device,
) -> Result<Tensor<3>, CheckpointError> {
    let [batch, queries, _] = prefix.dims();
    let mask = Tensor::cat(vec![Tensor::ones([batch, queries], device), text.mask.clone()], 1);
    let embeds = Tensor::cat(vec![prefix, language.model.embed(text.ids.clone())], 1);
    let hidden = match language.shape.kind {
        LanguageKind::DecoderOnly => language.model.decode(embeds, mask, None, None),
        LanguageKind::EncoderDecoder => {
            let memory = language.model.encode(embeds, mask);
            let read =
                reference.tokens("decoder_input_ids", batch, MOST_TOKENS, language.shape.vocab)?;
            let read = ids(&read, device);
            let mask = Tensor::ones(read.dims(), device);
            language.model.decode(language.model.embed(read), mask, Some(&memory), None)
        }
    };
    Ok(language.model.logits(hidden))
}

/// Mean cross-entropy of every text token, the first predicted from the last query; or of `labels`.
fn loss(
    language: &LanguagePart,
    logits: Tensor<3>,
    text: &Text,
    reference: &Reference,
    device: &Device,
) -> Result<Tensor<1>, CheckpointError> {
    Ok(match language.shape.kind {
        LanguageKind::DecoderOnly => {
            let tokens = text.ids.dims()[1];
            let before = logits.dims()[1] - tokens - 1;
            let scored = text.mask_rows.iter().flatten().filter(|&&m| m != 0).count();
            token_loss_sum(
                logits.narrow(1, before, tokens),
                text.ids.clone(),
                text.mask.clone(),
                0.0,
            ) / scored as f64
        }
        LanguageKind::EncoderDecoder => {
            let [batch, width, vocab] = logits.dims();
            let real = reference.labels(batch, width, vocab)?;
            let weights: Vec<Vec<i64>> = real
                .iter()
                .map(|row| row.iter().map(|id| i64::from(id.is_some())).collect())
                .collect();
            let scored = weights.iter().flatten().filter(|&&weight| weight != 0).count();
            let real: Vec<Vec<i64>> = real
                .iter()
                .map(|row| row.iter().map(|id| id.unwrap_or_default()).collect())
                .collect();
            token_loss_sum(logits, ids(&real, device), ids(&weights, device).float(), 0.0)
                / scored as f64
        }
    })
}

/// The new tokens by the settings in the header.
fn generate(
    language: &LanguagePart,
    reference: &Reference,
    prefix: Tensor<3>,
    text: &Text,
    outputs: &mut Outputs<'_>,
) -> Result<(), CheckpointError> {
    if !reference.wants("generated_ids") {
        return Ok(());
    }
    let settings = reference.metadata("generation").unwrap_or("{}");
    let decoding = settings_of(settings, &reference.place())?;
    let on_tape = prefix.is_autodiff();
    let (plain, prefix) = match on_tape {
        true => (language.model.valid(), prefix.inner()),
        false => (language.model.clone(), prefix),
    };
    let generator = Generator { language: &plain, ..language.generator(None) };
    let written = generator.generate(Some(prefix), &text.real(), &decoding)?;
    let theirs = reference.tensors.read_ints("output/generated_ids")?;
    let width = theirs.len() / text.rows.len().max(1);
    let mut rows = Vec::new();
    for (texts, theirs) in written.iter().zip(theirs.chunks(width.max(1))) {
        rows.extend(filled(texts.first(), language, theirs));
    }
    let shape = vec![text.rows.len(), width];
    outputs.put_values("generated_ids", Values { shape, data: rows });
    Ok(())
}

/// A text as wide as the reference's row: behind the end, whatever filler is there, which is
/// padding or the end again.
fn filled(text: Option<&Generated>, language: &LanguagePart, theirs: &[i64]) -> Vec<f32> {
    let special_tokens = language.special_tokens;
    let mut row = text.map(|text| text.ids.clone()).unwrap_or_default();
    row.extend(text.and_then(|text| text.end));
    let filler = |id: i64| {
        u32::try_from(id)
            .is_ok_and(|id| id == special_tokens.pad || special_tokens.eos.contains(id))
    };
    let mut row: Vec<f32> = row.into_iter().map(|id| id as f32).collect();
    for &theirs in theirs.get(row.len()..).unwrap_or_default() {
        row.push(if filler(theirs) { theirs as f32 } else { f32::NAN });
    }
    row
}

/// transformers' words for a search.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    #[serde(default = "one")]
    num_beams: usize,
    #[serde(default = "twenty")]
    max_new_tokens: usize,
    #[serde(default)]
    min_new_tokens: usize,
    #[serde(default = "one_point")]
    length_penalty: f64,
    #[serde(default = "one_point")]
    repetition_penalty: f64,
    #[serde(default)]
    early_stopping: serde_json::Value,
}

fn one() -> usize {
    1
}
fn twenty() -> usize {
    20
}
fn one_point() -> f64 {
    1.0
}

/// Settings as transformers reads them.
pub(super) fn settings_of(json: &str, place: &str) -> Result<Decoding, CheckpointError> {
    let wrong = |error: &dyn std::fmt::Display| {
        CheckpointError::new(
            format!("generation settings are not understood: {error}"),
            place,
            "known: num_beams, max_new_tokens, min_new_tokens, length_penalty, repetition_penalty, \
            early_stopping",
        )
    };
    let s: Settings = serde_json::from_str(json).map_err(|error| wrong(&error))?;
    let early_stopping = match s.early_stopping {
        serde_json::Value::Bool(true) => EarlyStopping::Always,
        serde_json::Value::Null | serde_json::Value::Bool(false) => EarlyStopping::Heuristic,
        serde_json::Value::String(never) if never == "never" => EarlyStopping::Never,
        other => return Err(wrong(&format!("early_stopping = {other}"))),
    };
    Ok(Decoding {
        beams: s.num_beams,
        max_new_tokens: s.max_new_tokens,
        min_new_tokens: s.min_new_tokens,
        length_penalty: s.length_penalty,
        repetition_penalty: s.repetition_penalty,
        early_stopping,
        ..Decoding::default()
    })
}
