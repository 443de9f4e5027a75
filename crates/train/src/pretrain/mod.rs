//! Pre-training of the nano tier's own backbones. The other tiers use published checkpoints.
//!
//! The vision encoder sees single pictures and learns their labels. Language models read text alone,
//! never a picture. No model here sees an image together with its caption: that is the task of the
//! two stages.

pub mod text;
pub mod vision;

use crate::TrainError;
use toolkit_system::problem::Problem;

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
