//! Tokenizer of a GGUF file as the `tokenizer.json` that Hugging Face's libraries load.

use super::Metadata;
use crate::error::{DAMAGED, FormatError, one_line};
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// Types in `tokenizer.ggml.token_type` of tokens that are no text: end of text, roles.
const CONTROL: i64 = 3;
const UNKNOWN: i64 = 2;
/// Type of tokens that are text but never split.
const USER_DEFINED: i64 = 4;

/// Hint where the file's own tokenizer cannot be converted.
const PUBLISHED: &str = "use the tokenizer.json that was published with the model";

/// An error without its file: the fault and a hint.
type Refusal = (String, &'static str);

/// The lists of a tokenizer, checked against each other.
struct Vocabulary<'m> {
    tokens: &'m [String],
    merges: &'m [String],
    /// Types of the tokens; empty if the file has none.
    types: Vec<i64>,
}

impl Metadata {
    /// Converts the tokenizer to the text of a `tokenizer.json`: byte-level BPE as in GPT-2
    /// (`tokenizer.ggml.model` is `gpt2`).
    ///
    /// The file only names how text is split before BPE (`tokenizer.ggml.pre`). Known are `smollm`
    /// (each digit alone, then GPT-2's pattern), `gpt-2` and `default` (GPT-2's pattern). Control
    /// tokens become special added tokens, user-defined ones plain added tokens. If the file says
    /// `add_bos_token`, the tokenizer adds it.
    ///
    /// # Errors
    /// If there is no tokenizer, it is of another kind, or its lists contradict each other.
    pub fn tokenizer_json(&self) -> Result<String, FormatError> {
        self.convert_tokenizer().map_err(|(what, hint)| FormatError::file(&self.path, what, hint))
    }

    fn convert_tokenizer(&self) -> Result<String, Refusal> {
        match self.str("tokenizer.ggml.model") {
            Some("gpt2") => {}
            Some(model) => {
                return Err((format!("a tokenizer of the kind `{}`", one_line(model)), PUBLISHED));
            }
            None => return Err(("no tokenizer in this GGUF file".to_owned(), PUBLISHED)),
        }
        let pre_tokenizer = self.pre_tokenizer()?;
        let vocabulary = self.vocabulary()?;
        let json = json!({
            "version": "1.0",
            "truncation": null,
            "padding": null,
            "added_tokens": vocabulary.added(),
            "normalizer": null,
            "pre_tokenizer": pre_tokenizer,
            "post_processor": self.post_processor(vocabulary.tokens)?,
            "decoder": byte_level(),
            "model": vocabulary.bpe(),
        });
        Ok(json.to_string())
    }

    /// Returns the step that splits text before BPE.
    fn pre_tokenizer(&self) -> Result<Value, Refusal> {
        match self.str("tokenizer.ggml.pre").unwrap_or("default") {
            "smollm" => Ok(json!({"type": "Sequence", "pretokenizers": [
                {"type": "Digits", "individual_digits": true}, byte_level()]})),
            "gpt-2" | "default" => Ok(byte_level()),
            pre => {
                let what = format!(
                    "a tokenizer that cuts text as `{}`, which is not known",
                    one_line(pre)
                );
                Err((what, PUBLISHED))
            }
        }
    }

    /// Reads the lists of the tokenizer and checks that each merge gives a token.
    fn vocabulary(&self) -> Result<Vocabulary<'_>, Refusal> {
        let tokens = self.strings("tokenizer.ggml.tokens").unwrap_or_default();
        let merges = self.strings("tokenizer.ggml.merges").unwrap_or_default();
        let types = self.ints("tokenizer.ggml.token_type");
        if tokens.is_empty() || types.as_ref().is_some_and(|types| types.len() != tokens.len()) {
            let what = "the tokenizer's tokens and their types do not match";
            return Err((what.to_owned(), DAMAGED));
        }
        let mut ids = HashMap::with_capacity(tokens.len());
        for (id, token) in tokens.iter().enumerate() {
            if ids.insert(token.as_str(), id).is_some() {
                return Err((format!("the tokenizer has `{}` twice", one_line(token)), DAMAGED));
            }
        }
        let is_token = |text: &str| ids.contains_key(text);
        let fits = |merge: &&String| {
            merge
                .split_once(' ')
                .is_some_and(|(a, b)| is_token(a) && is_token(b) && is_token(&format!("{a}{b}")))
        };
        if let Some(merge) = merges.iter().find(|merge| !fits(merge)) {
            let what = format!("the tokenizer merges `{}` to no token", one_line(merge));
            return Err((what, DAMAGED));
        }
        Ok(Vocabulary { tokens, merges, types: types.unwrap_or_default() })
    }

    /// Returns the step that adds the token that begins each text, or null.
    fn post_processor(&self, tokens: &[String]) -> Result<Value, Refusal> {
        if self.bool("tokenizer.ggml.add_bos_token") != Some(true) {
            return Ok(Value::Null);
        }
        let id = self.u32("tokenizer.ggml.bos_token_id");
        let Some(token) = id.and_then(|id| tokens.get(id as usize)) else {
            let what = "the tokenizer adds a token before each text but has none";
            return Err((what.to_owned(), DAMAGED));
        };
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

impl Vocabulary<'_> {
    /// Returns the tokens that BPE never splits.
    fn added(&self) -> Vec<Value> {
        let types = self.types.iter().enumerate();
        let added = types.filter(|(_, kind)| [CONTROL, UNKNOWN, USER_DEFINED].contains(kind));
        added
            .map(|(id, &kind)| {
                json!({"id": id, "content": self.tokens[id], "single_word": false,
                    "lstrip": false, "rstrip": false, "normalized": false,
                    "special": kind != USER_DEFINED})
            })
            .collect()
    }

    fn bpe(&self) -> Value {
        let vocab: Map<String, Value> =
            self.tokens.iter().enumerate().map(|(id, token)| (token.clone(), id.into())).collect();
        json!({
            "type": "BPE", "dropout": null, "unk_token": null,
            "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": false,
            "byte_fallback": false, "ignore_merges": false, "vocab": vocab, "merges": self.merges,
        })
    }
}

/// Returns GPT-2's pattern, and bytes as characters.
fn byte_level() -> Value {
    json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
        "use_regex": true})
}
