//! Tokenizers that are not one `tokenizer.json`, and damaged ones.

use super::Checkpoint;
use serde_json::{Value, json};
use toolkit_core::LanguageKind;

/// Leaves `vocab.json` and `merges.txt` in place of `tokenizer.json`.
fn of_pairs(config: &Value) -> Checkpoint {
    let checkpoint = Checkpoint::of("hub-opt");
    let file = checkpoint.json("tokenizer.json");
    let merge = |pair: &Value| match pair {
        Value::String(pair) => pair.clone(),
        pair => format!("{} {}", pair[0].as_str().unwrap(), pair[1].as_str().unwrap()),
    };
    let merges: Vec<String> =
        file["model"]["merges"].as_array().unwrap().iter().map(merge).collect();
    checkpoint.write("vocab.json", file["model"]["vocab"].to_string());
    checkpoint.write("merges.txt", format!("#version: 0.2\n{}\n", merges.join("\n")));
    checkpoint.remove("tokenizer.json");
    checkpoint.edit("tokenizer_config.json", |all| {
        all.as_object_mut().unwrap().extend(config.as_object().unwrap().clone());
    });
    checkpoint
}

/// Ids by transformers 5.24 (`tests/fixtures/make_byte_pairs.py`).
const RIGHT: &str = include_str!("../../../../tests/fixtures/byte_pairs.json");

/// Texts, or their ids under a setting.
fn right<T: serde::de::DeserializeOwned>(key: &str) -> T {
    let all: Value = serde_json::from_str(RIGHT).unwrap();
    serde_json::from_value(all[key].clone()).unwrap()
}

/// Ids of the texts, special tokens around them included.
fn ids(checkpoint: &Checkpoint) -> Vec<Vec<u32>> {
    let model = checkpoint.open().unwrap();
    let words = model.tokenizer().unwrap();
    right::<Vec<String>>("texts")
        .iter()
        .map(|text| words.tokenizer.encode_with_special_tokens(text).unwrap())
        .collect()
}

#[test]
fn vocabulary_and_merges_are_read_as_transformers_reads_them() {
    let with_bos: Vec<Vec<u32>> = right("add_bos_token");
    let gpt2 = of_pairs(&json!({"tokenizer_class": "GPT2Tokenizer", "add_bos_token": true}));
    assert_eq!(ids(&gpt2), with_bos);
    assert!(gpt2.holds());
    let plain = of_pairs(&json!({"tokenizer_class": "GPT2Tokenizer"}));
    assert_eq!(ids(&plain), right::<Vec<Vec<u32>>>("plain"));
    let spaced = of_pairs(&json!({"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": true}));
    assert_eq!(ids(&spaced), right::<Vec<Vec<u32>>>("add_prefix_space"));
    // The older files.
    let older = of_pairs(&json!({"tokenizer_class": "GPT2Tokenizer", "add_bos_token": true}));
    older.edit("tokenizer_config.json", |all| {
        all.as_object_mut().unwrap().remove("added_tokens_decoder");
        all.as_object_mut().unwrap().remove("additional_special_tokens");
        all["bos_token"] =
            json!({"__type": "AddedToken", "content": "</s>", "lstrip": false, "normalized": true});
    });
    older.write("added_tokens.json", json!({"<image>": 330}).to_string());
    assert_eq!(ids(&older), with_bos);
}

#[test]
fn where_files_do_not_say_what_stands_around_a_text_the_models_own_rule_does() {
    let checkpoint = of_pairs(&json!({"tokenizer_class": "PreTrainedTokenizerFast"}));
    let model = checkpoint.open().unwrap();
    let (language, words) = (model.language().unwrap(), model.tokenizer().unwrap());
    let texts =
        right::<Vec<String>>("texts").into_iter().zip(right::<Vec<Vec<u32>>>("add_bos_token"));
    for (text, ids) in texts.filter(|(text, _)| !text.contains("<image>")) {
        assert_eq!(
            words.prompt(&text, language.special_tokens, LanguageKind::DecoderOnly).unwrap(),
            ids
        );
    }
}

#[test]
fn pairs_that_are_not_right_are_refused() {
    let gpt2 = || of_pairs(&json!({"tokenizer_class": "GPT2Tokenizer"}));
    let broken = gpt2();
    broken.write("merges.txt", "#version: 0.2\na b\na b c\n");
    assert!(
        broken.error().contains("this line is no pair of tokens --> ")
            && broken.error().contains("merges.txt:3")
    );
    broken.write(
        "merges.txt",
        "a b\n".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>(),
    );
    assert!(broken.error().starts_with("this is UTF-16 --> "), "{}", broken.error());
    broken.write("merges.txt", b"#version: 0.2\n\xe9 b\n");
    assert!(broken.error().starts_with("the text is not UTF-8 --> "), "{}", broken.error());
    let other = of_pairs(&json!({"tokenizer_class": "CLIPTokenizer"}));
    assert!(other.error().contains("`tokenizer_class` is `CLIPTokenizer`"));
    let twice = gpt2();
    twice.edit("vocab.json", |all| all["</s>"] = json!(9));
    assert!(twice.error().contains("has another id than 2"), "{}", twice.error());
}

#[test]
fn what_a_folder_has_instead_of_a_tokenizer_is_named() {
    let checkpoint = Checkpoint::of("hub-t5");
    checkpoint.remove("tokenizer.json");
    let missing =
        |checkpoint: &Checkpoint| checkpoint.open().unwrap().tokenizer().err().unwrap().to_string();
    assert!(missing(&checkpoint).contains("put its `tokenizer.json` beside the weights"));
    checkpoint.write("spiece.model", b"\x0a\x0e\x0a\x05<unk>");
    let error = missing(&checkpoint);
    assert!(error.contains("only `spiece.model`") && error.contains("AutoTokenizer"), "{error}");
}

#[test]
fn a_damaged_tokenizer_is_refused_with_its_file() {
    let whole = std::fs::read(Checkpoint::of("hub-opt").path("tokenizer.json")).unwrap();
    let checkpoint = Checkpoint::of("hub-opt");
    let read = |bytes: &[u8]| {
        checkpoint.write("tokenizer.json", bytes);
        let special_tokens = checkpoint_marks();
        let table = toolkit_tokenizer::TokenTable::of_language(334);
        toolkit_checkpoints::tokens::read(checkpoint.0.path(), special_tokens, None, table)
    };
    for at in (0..whole.len() - 1).step_by(37) {
        let error = read(&whole[..at]).err().unwrap().to_string();
        assert!(error.contains("tokenizer.json") && !error.contains('\n'), "cut at {at}: {error}");
    }
    // Bytes that fall out, as in a damaged download.
    for at in (0..whole.len() - 40).step_by(101) {
        let damaged = [&whole[..at], &whole[at + 23..]].concat();
        match read(&damaged) {
            Ok(words) => {
                let words = words.unwrap();
                for text in ["a photo of", "</s> <image>", ""] {
                    if let Ok(ids) = words.tokenizer.encode_with_special_tokens(text) {
                        assert!(ids.iter().all(|id| *id < 334));
                        let _ = words
                            .text(&ids)
                            .map_err(|error| assert!(!error.to_string().contains('\n')));
                    }
                }
            }
            Err(error) => assert!(error.to_string().contains("tokenizer.json"), "{error}"),
        }
    }
}

fn checkpoint_marks() -> toolkit_core::LanguageSpecialTokens {
    toolkit_core::LanguageSpecialTokens {
        bos: Some(2),
        eos: toolkit_core::Ends::one(2),
        pad: 1,
        decoder_start: 0,
    }
}
