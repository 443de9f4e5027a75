//! Settings of a search, as transformers names them.

use crate::CheckpointError;
use toolkit_vlm::{Decoding, EarlyStopping};

/// Settings of a search, with transformers' names and defaults.
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

/// Reads settings of a search from JSON. Errors name `place`.
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
