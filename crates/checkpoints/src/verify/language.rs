//! Outputs of the language model: generated ids, logits, the loss of stage 2 with its gradients.

use super::compare::Outputs;
use super::decoding::settings_of;
use super::gradients;
use super::reference::{Reference, ids};
use super::text::Text;
use crate::CheckpointError;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use toolkit_core::LanguageKind;
use toolkit_core::params::Values;
use toolkit_core::published::Scheme;
use toolkit_train::losses::token_loss_sum;
use toolkit_vlm::{Generated, Generator, LanguagePart, Vlm};

/// Most tokens of a reference's text, where relative positions set no limit.
const MOST_TOKENS: usize = 4096;

/// Computes the outputs over `queries`, if the checkpoint has a language model.
pub(super) fn run(
    model: &Vlm,
    queries: Tensor<3>,
    reference: &Reference,
    device: &Device,
    outputs: &mut Outputs<'_>,
) -> Result<(), CheckpointError> {
    let Some(language) = &model.language else { return Ok(()) };
    let batch = queries.dims()[0];
    let prefix = language.prefix(queries);
    let shape = &language.shape;
    let most =
        shape.positions.map_or(MOST_TOKENS, |positions| positions.saturating_sub(prefix.dims()[1]));
    let text = Text::read(reference, batch, most, shape.vocab, device)?;
    generate(language, reference, prefix.clone(), &text, outputs)?;
    let logits = logits(language, prefix, &text, reference, device)?;
    outputs.put("language.logits", logits.clone());
    if !reference.wants("stage2.loss") {
        return Ok(());
    }
    let loss = loss(language, logits, &text, reference, device)?;
    outputs.put("stage2.loss", loss.clone());
    if device.is_autodiff() {
        gradients::put(model, loss, Scheme::HuggingFace, "stage2.grad.", reference, outputs);
    }
    Ok(())
}

/// Computes logits `[batch, tokens, vocab]`. Of a decoder-only model the tokens are queries and
/// text, of an encoder-decoder the decoder's ids.
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

/// Computes the mean cross-entropy of every text token, the first predicted from the last query. Of
/// an encoder-decoder it is that of `labels`.
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
            let labels = reference.labels(batch, width, vocab)?;
            let to_rows = |value: fn(&Option<i64>) -> i64| -> Vec<Vec<i64>> {
                labels.iter().map(|row| row.iter().map(value).collect()).collect()
            };
            let weights = to_rows(|id| i64::from(id.is_some()));
            let scored = weights.iter().flatten().filter(|&&weight| weight != 0).count();
            let labels = to_rows(|id| id.unwrap_or_default());
            token_loss_sum(logits, ids(&labels, device), ids(&weights, device).float(), 0.0)
                / scored as f64
        }
    })
}

/// Generates token ids with the settings in the reference's metadata.
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

/// Returns a text as wide as the reference's row. Behind the end it repeats the reference's filler,
/// which is padding or the end again; any other token becomes NaN, which differs from everything.
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
