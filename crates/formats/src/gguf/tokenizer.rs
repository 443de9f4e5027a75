//! The tokenizer of a GGUF file as the `tokenizer.json` that Hugging Face's libraries load.

use super::Metadata;
use crate::error::{DAMAGED, FormatError, one_line};
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// `tokenizer.ggml.token_type` of tokens that are no text: end of text, roles.
const CONTROL: i64 = 3;
const UNKNOWN: i64 = 2;
/// Of tokens that are text but never split.
const USER_DEFINED: i64 = 4;

impl Metadata {
    /// The tokenizer as the text of a `tokenizer.json`: byte-level BPE as in GPT-2
    /// (`tokenizer.ggml.model` is `gpt2`).
    ///
    /// How text is cut before BPE is only named in the file (`tokenizer.ggml.pre`); `smollm` (each
    /// digit alone, then GPT-2's pattern), `gpt-2` and `default` (GPT-2's pattern) are known.
    /// Control tokens become special added tokens, user-defined ones plain added tokens; if the
    /// file says `add_bos_token`, the tokenizer adds it.
    ///
    /// # Errors
    /// If there is no tokenizer, it is of another kind, or its lists contradict each other.
    pub fn tokenizer_json(&self) -> Result<String, FormatError> {
        let refuse = |what: String, hint: &str| FormatError::file(&self.path, what, hint);
        let other = "use the tokenizer.json that was published with the model";
        match self.str("tokenizer.ggml.model") {
            Some("gpt2") => {}
            Some(model) => {
                return Err(refuse(
                    format!("a tokenizer of the kind `{}`", one_line(model)),
                    other,
                ));
            }
            None => return Err(refuse("no tokenizer in this GGUF file".to_owned(), other)),
        }
        let byte_level = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
        let pre = match self.str("tokenizer.ggml.pre").unwrap_or("default") {
            "smollm" => json!({"type": "Sequence", "pretokenizers": [
                {"type": "Digits", "individual_digits": true}, byte_level]}),
            "gpt-2" | "default" => byte_level.clone(),
            pre => {
                let what = format!(
                    "a tokenizer that cuts text as `{}`, which is not known",
                    one_line(pre)
                );
                return Err(refuse(what, other));
            }
        };
        let tokens = self.strings("tokenizer.ggml.tokens").unwrap_or_default();
        let merges = self.strings("tokenizer.ggml.merges").unwrap_or_default();
        let types = self.ints("tokenizer.ggml.token_type");
        if tokens.is_empty() || types.as_ref().is_some_and(|types| types.len() != tokens.len()) {
            return Err(refuse(
                "the tokenizer's tokens and their types do not match".to_owned(),
                DAMAGED,
            ));
        }
        let mut ids = HashMap::with_capacity(tokens.len());
        for (id, token) in tokens.iter().enumerate() {
            if ids.insert(token.as_str(), id).is_some() {
                return Err(refuse(
                    format!("the tokenizer has `{}` twice", one_line(token)),
                    DAMAGED,
                ));
            }
        }
        for merge in merges {
            let known = |token: &str| ids.contains_key(token);
            let fits = merge
                .split_once(' ')
                .is_some_and(|(a, b)| known(a) && known(b) && known(&format!("{a}{b}")));
            if !fits {
                return Err(refuse(
                    format!("the tokenizer merges `{}` to no token", one_line(merge)),
                    DAMAGED,
                ));
            }
        }
        let added = types
            .iter()
            .flatten()
            .enumerate()
            .filter(|(_, kind)| [CONTROL, UNKNOWN, USER_DEFINED].contains(kind));
        let added: Vec<Value> = added
            .map(|(id, &kind)| {
                json!({"id": id, "content": tokens[id], "single_word": false, "lstrip": false, "rstrip": false,
                    "normalized": false, "special": kind != USER_DEFINED})
            })
            .collect();
        let vocab: Map<String, Value> =
            tokens.iter().enumerate().map(|(id, t)| (t.clone(), id.into())).collect();
        let json = json!({
            "version": "1.0",
            "truncation": null,
            "padding": null,
            "added_tokens": added,
            "normalizer": null,
            "pre_tokenizer": pre,
            "post_processor": self.beginning(tokens).map_err(|what| refuse(what, DAMAGED))?,
            "decoder": byte_level,
            "model": {
                "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
                "vocab": vocab, "merges": merges,
            },
        });
        Ok(json.to_string())
    }

    /// What adds the token that begins each text, or null.
    fn beginning(&self, tokens: &[String]) -> Result<Value, String> {
        if self.bool("tokenizer.ggml.add_bos_token") != Some(true) {
            return Ok(Value::Null);
        }
        let id = self.u32("tokenizer.ggml.bos_token_id");
        let token = id.and_then(|id| tokens.get(id as usize));
        let token = token.ok_or("the tokenizer adds a token before each text but has none")?;
        let start = json!({"SpecialToken": {"id": token, "type_id": 0}});
        let sequence = |name: &str| json!({"Sequence": {"id": name, "type_id": 0}});
        Ok(json!({
            "type": "TemplateProcessing",
            "single": [start, sequence("A")],
            "pair": [start, sequence("A"), start, sequence("B")],
            "special_tokens": {token: {"id": token, "ids": [id], "tokens": [token]}},
        }))
    }
}
