//! Tokenizers from `vocab.json` and `merges.txt`, the files of GPT-2 and OPT before
//! `tokenizer.json`.
//!
//! It is made as transformers' `GPT2Tokenizer` makes it: byte-level pairs, special tokens by
//! `tokenizer_config.json` (or the older `special_tokens_map.json` and `added_tokens.json`), the
//! first token of a text by `add_bos_token`.

use crate::CheckpointError;
use crate::json::Json;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use toolkit_system::encoding::{Encoding, UTF16, encoding};

/// The keys of special tokens.
const SPECIAL: [&str; 4] = ["bos_token", "eos_token", "unk_token", "pad_token"];

/// A `tokenizer.json` that was made from other files.
pub(crate) struct Made {
    /// Content of the file.
    pub(crate) json: Value,
    /// `true` if the files state the special tokens around a text.
    pub(crate) framed: bool,
}

/// Makes a tokenizer from a folder's `vocab.json` and `merges.txt`.
///
/// # Errors
/// If they are broken, of another kind than GPT-2's, or give a token two ids.
pub(crate) fn make(folder: &Path) -> Result<Made, CheckpointError> {
    let vocabulary = Json::read(&folder.join("vocab.json"))?;
    let config = Json::read_or_empty(&folder.join("tokenizer_config.json"))?;
    let class = config.text("tokenizer_class")?.unwrap_or_default();
    let generic = ["", "PreTrainedTokenizerFast", "TokenizersBackend"].contains(&class.as_str());
    if !generic && !class.starts_with("GPT2Tokenizer") {
        return Err(config.wrong(
            "tokenizer_class",
            format!("is `{class}`; of `vocab.json` only GPT-2's is read"),
        ));
    }
    let added = added(folder, &config, &vocabulary)?;
    let bos = config
        .value()
        .get("bos_token")
        .and_then(content)
        .filter(|_| !generic || config.has("add_bos_token"));
    let first = bos.filter(|_| config.flag("add_bos_token").ok().flatten().unwrap_or(false));
    let id =
        |token: &str| added.iter().find(|(_, added)| added["content"] == token).map(|(id, _)| *id);
    let processor = match first.and_then(|token| Some((token.clone(), id(&token)?))) {
        Some((token, id)) => json!({
            "type": "TemplateProcessing",
            "single": [
                {"SpecialToken": {"id": token, "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}},
            ],
            "pair": [],
            "special_tokens": {token.as_str(): {"id": token, "ids": [id], "tokens": [token]}},
        }),
        None => Value::Null,
    };
    let prefix = config.flag("add_prefix_space")?.unwrap_or(false);
    let bytes = json!({
        "type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": true, "use_regex": true,
    });
    let json = json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null,
        "added_tokens": added.into_values().collect::<Vec<_>>(),
        "pre_tokenizer": bytes, "post_processor": processor, "decoder": bytes,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
            "ignore_merges": false,
            "vocab": vocabulary.value(), "merges": merges(&folder.join("merges.txt"))?,
        },
    });
    Ok(Made { json, framed: !generic || config.has("add_bos_token") })
}

/// Reads the pairs of a `merges.txt`.
fn merges(file: &Path) -> Result<Vec<[String; 2]>, CheckpointError> {
    let bytes = toolkit_system::input::read(file)
        .map_err(|error| CheckpointError::io("read", file, error))?;
    let wrong =
        |(what, hint): (&str, &str)| CheckpointError::new(what, file.display().to_string(), hint);
    let Encoding::Utf8 { mark } = encoding(&bytes) else { return Err(wrong(UTF16)) };
    let text =
        str::from_utf8(&bytes[mark..]).map_err(|_| wrong(("the text is not UTF-8", UTF16.1)))?;
    let lines = text.lines().enumerate();
    let pairs = lines.filter(|(_, line)| !line.starts_with("#version") && !line.is_empty());
    let pair = |(at, line): (usize, &str)| match line.split_once(' ') {
        Some((a, b)) if !a.is_empty() && !b.is_empty() && !b.contains(' ') => {
            Ok([a.to_owned(), b.to_owned()])
        }
        _ => {
            let place = format!("{}:{}", file.display(), at + 1);
            Err(CheckpointError::new(
                "this line is no pair of tokens",
                place,
                "fetch the file again",
            ))
        }
    };
    pairs.map(pair).collect()
}

/// Returns a token, which files write as a text or as an object.
fn content(token: &Value) -> Option<String> {
    token.as_str().or_else(|| token.get("content")?.as_str()).map(str::to_owned)
}

/// Reads the tokens outside the pairs, by id: special ones, and those that were added later.
fn added(
    folder: &Path,
    config: &Json,
    vocabulary: &Json,
) -> Result<BTreeMap<u64, Value>, CheckpointError> {
    let older = Json::read_or_empty(&folder.join("special_tokens_map.json"))?;
    let more = Json::read_or_empty(&folder.join("added_tokens.json"))?;
    let mut special: Vec<String> = Vec::new();
    for file in [config, &older] {
        special.extend(SPECIAL.iter().filter_map(|key| file.value().get(*key)).filter_map(content));
        let listed = file.value().get("additional_special_tokens").and_then(Value::as_array);
        special.extend(listed.into_iter().flatten().filter_map(content));
    }
    let mut all: BTreeMap<u64, Value> = BTreeMap::new();
    let mut put = |id: u64, token: &str, entry: &Value, special: bool| {
        let flag = |key: &str, default| entry.get(key).and_then(Value::as_bool).unwrap_or(default);
        let special = flag("special", special);
        all.entry(id).or_insert_with(|| {
            json!({
                "id": id, "content": token, "single_word": flag("single_word", false),
                "lstrip": flag("lstrip", false), "rstrip": flag("rstrip", false),
                "normalized": flag("normalized", !special), "special": special,
            })
        });
    };
    for (id, entry) in
        config.object("added_tokens_decoder").value().as_object().into_iter().flatten()
    {
        let (Ok(id), Some(token)) = (id.parse(), content(entry)) else {
            return Err(config.wrong(
                "added_tokens_decoder",
                format!("has `{id}`, which is no token with an id"),
            ));
        };
        put(id, &token, entry, special.contains(&token));
    }
    for (token, id) in more.value().as_object().into_iter().flatten() {
        let id = id.as_u64().ok_or_else(|| more.wrong(token, format!("is {id}, not an id")))?;
        put(id, token, &Value::Null, special.contains(token));
    }
    for token in &special {
        if let Some(id) = vocabulary.value().get(token).and_then(Value::as_u64) {
            put(id, token, &Value::Null, true);
        }
    }
    check_ids(&all, vocabulary)?;
    Ok(all)
}

/// Refuses an added token that has another id in the vocabulary.
fn check_ids(added: &BTreeMap<u64, Value>, vocabulary: &Json) -> Result<(), CheckpointError> {
    // The `tokenizers` crate numbers added tokens one after another behind the vocabulary; it
    // ignores the ids of the file.
    let known = |id: &u64, token: &Value| {
        let own = vocabulary
            .value()
            .get(token["content"].as_str().unwrap_or_default())
            .and_then(Value::as_u64);
        own.is_none_or(|own| own == *id)
    };
    match added.iter().find(|(id, token)| !known(id, token)) {
        Some((id, token)) => Err(vocabulary.wrong(
            token["content"].as_str().unwrap_or_default(),
            format!("has another id than {id}, which the special tokens give it"),
        )),
        None => Ok(()),
    }
}
