//! Pre-training of the nano tier's own backbones. The other tiers use published checkpoints.
//!
//! The vision encoder sees single pictures and learns their labels. Language models read text
//! alone, never a picture. No model here sees an image together with its caption: that is the task
//! of the two stages.

pub mod masked;
pub mod text;
pub mod vision;

use crate::TrainError;
use burn::tensor::{Device, Int, Tensor, TensorData};
use toolkit_core::{Side, pad};
use toolkit_system::problem::Problem;
use toolkit_tokenizer::TextTokenizer;

/// Returns a word-level `tokenizer.json` for a small world.
///
/// `specials` get the first ids, in order; `words` follow.
///
/// # Errors
/// If a special token is also a word.
pub fn word_tokenizer(
    specials: &[&str],
    unknown: &str,
    words: &[String],
) -> Result<String, TrainError> {
    if let Some(word) = words.iter().find(|w| specials.contains(&w.as_str())) {
        let what = format!("`{word}` is a special token and a word");
        return Err(Problem::new(what).hint("rename the special token").into());
    }
    let all = specials.iter().map(|s| (*s).to_owned()).chain(words.iter().cloned());
    let vocab: serde_json::Map<_, _> =
        all.enumerate().map(|(id, token)| (token, id.into())).collect();
    let added: Vec<_> = (specials.iter().enumerate())
        .map(|(id, content)| {
            serde_json::json!({
                "id": id, "content": content, "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": false, "special": true
            })
        })
        .collect();
    let json = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
        "normalizer": {"type": "Lowercase"}, "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "vocab": vocab, "unk_token": unknown},
    });
    Ok(serde_json::to_string(&json).map_err(Problem::defect)?)
}

/// Encodes a text of the world.
fn encoded(tokenizer: &TextTokenizer, text: &str) -> Result<Vec<u32>, TrainError> {
    Ok(tokenizer.encode(text)?)
}

/// Pads labels and weights to `[batch, tokens]`; returns the sum of the weights too.
fn padded_labels(
    labels: &[Vec<u32>],
    weights: &[Vec<f32>],
    device: &Device,
) -> (Tensor<2, Int>, Tensor<2>, f64) {
    let batch = pad(labels, 0, Side::Right, device);
    let longest = batch.ids.dims()[1];
    let flat: Vec<f32> = weights
        .iter()
        .flat_map(|w| w.iter().copied().chain(std::iter::repeat_n(0.0, longest - w.len())))
        .collect();
    let count = f64::from(flat.iter().sum::<f32>());
    (batch.ids, Tensor::from_data(TensorData::new(flat, [labels.len(), longest]), device), count)
}
