//! `generation_config.json`: settings that are not followed. Special ids are read from it
//! ([`super::language`]); the command sets how texts are searched for.

use crate::json::Json;
use serde_json::{Value, json};

/// Returns the keys that change what a model writes, with the values at which they change nothing.
fn idle() -> Vec<(&'static str, Value)> {
    vec![
        ("num_beams", json!(1)),
        ("max_length", json!(20)),
        ("max_new_tokens", json!(20)),
        ("min_length", json!(0)),
        ("min_new_tokens", json!(0)),
        ("repetition_penalty", json!(1.0)),
        ("length_penalty", json!(1.0)),
        ("early_stopping", json!(false)),
        ("do_sample", json!(false)),
        ("temperature", json!(1.0)),
        ("top_k", json!(50)),
        ("top_p", json!(1.0)),
        ("num_return_sequences", json!(1)),
        ("no_repeat_ngram_size", json!(0)),
        ("encoder_no_repeat_ngram_size", json!(0)),
        ("encoder_repetition_penalty", json!(1.0)),
        ("suppress_tokens", json!([])),
        ("begin_suppress_tokens", json!([])),
        ("bad_words_ids", json!([])),
        ("sequence_bias", json!({})),
        ("forced_bos_token_id", Value::Null),
        ("forced_eos_token_id", Value::Null),
        ("forced_decoder_ids", Value::Null),
        ("guidance_scale", json!(1.0)),
        ("num_beam_groups", json!(1)),
        ("diversity_penalty", json!(0.0)),
        ("penalty_alpha", json!(0.0)),
        ("exponential_decay_length_penalty", Value::Null),
        ("stop_strings", Value::Null),
        ("min_p", Value::Null),
        ("typical_p", json!(1.0)),
        ("epsilon_cutoff", json!(0.0)),
        ("eta_cutoff", json!(0.0)),
    ]
}

/// Returns `true` if two JSON values are equal; 1 equals 1.0.
fn same(a: &Value, b: &Value) -> bool {
    a == b || a.as_f64().is_some_and(|x| b.as_f64() == Some(x))
}

/// Lists the keys of the file that are not followed, in one line.
pub(super) fn passed_over(file: &Json) -> Option<String> {
    const SHOWN: usize = 40;
    let changed = |(key, idle): &(&str, Value)| {
        let value =
            file.value().get(*key).filter(|value| !value.is_null() && !same(value, idle))?;
        let text = value.to_string();
        let short: String = text.chars().take(SHOWN).collect();
        Some(format!("`{key}` = {short}{}", if short.len() < text.len() { " .." } else { "" }))
    };
    let keys: Vec<String> = idle().iter().filter_map(changed).collect();
    let (file, keys) = (file.file(), (!keys.is_empty()).then(|| keys.join(", "))?);
    Some(format!("not followed: {keys} --> {file}; texts are searched for as the command says"))
}
