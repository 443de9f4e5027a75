//! Ids out of a tokenizer against the tables that they are looked up in, and special tokens in
//! people's texts.

use super::Checkpoint;
use serde_json::{Value, json};

/// Adds thirty tokens behind the vocabulary, as for a model whose embedding was not resized.
fn add_places(checkpoint: &Checkpoint, first: u64) {
    checkpoint.edit("tokenizer.json", |file| {
        let added = file["added_tokens"].as_array_mut().unwrap();
        for at in 0..30 {
            added
                .push(json!({"id": first + at, "content": format!("<loc{at}>"), "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": false, "special": true}));
        }
    });
}

fn prompt(checkpoint: &Checkpoint, text: &str) -> Result<Vec<u32>, String> {
    let model = checkpoint.open().unwrap();
    let language = model.language().unwrap();
    let prompt =
        model.tokenizer().unwrap().prompt(text, language.special_tokens, language.shape.kind);
    prompt.map_err(|error| error.to_string())
}

#[test]
fn a_token_without_a_row_is_named_and_a_model_with_such_tokens_opens() {
    for (name, rows, first) in [("hub-opt", 334, 331), ("hub-t5", 0, 71)] {
        let checkpoint = Checkpoint::of(name);
        add_places(&checkpoint, first);
        let model = checkpoint.open().unwrap();
        let rows = if rows > 0 { rows } else { model.language().unwrap().shape.vocab };
        let id = first as usize + 29;
        assert!(id >= rows);
        let note = format!("from `<loc{}>` (id {rows}) on", rows - first as usize);
        assert!(model.notes.iter().any(|line| line.contains(&note)), "{:?}", model.notes);
        let error = prompt(&checkpoint, "where <loc29> is").unwrap_err();
        let wanted =
            format!("token `<loc29>` has id {id}, the language model has {rows} rows --> ");
        assert!(error.starts_with(&wanted) && error.contains("tokenizer.json; hint: "), "{error}");
        assert!(
            prompt(&checkpoint, "where <loc0> is").unwrap().contains(&(first as u32)),
            "this one has a row"
        );
    }
    assert!(Checkpoint::of("hub-opt").open().unwrap().notes.is_empty());
}

#[test]
fn ids_of_a_post_processor_are_compared_when_the_folder_is_opened() {
    let checkpoint = Checkpoint::of("hub-opt");
    checkpoint.edit("tokenizer.json", |file| {
        file["post_processor"]["special_tokens"]["</s>"]["ids"] = json!([400]);
    });
    assert!(checkpoint.error().contains("has id 400, the language model has 334 rows"));
}

#[test]
fn texts_for_the_text_side_are_compared_with_its_table() {
    let checkpoint = Checkpoint::of("blip2-itm-tiny");
    let rows = checkpoint.open().unwrap();
    let rows = rows.bridge.shape.text.unwrap().vocab as u64;
    let mut vocab = serde_json::Map::new();
    for (at, word) in ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "cat"].into_iter().enumerate() {
        vocab.insert(word.to_owned(), json!(at));
    }
    vocab.insert("dog".to_owned(), json!(rows));
    checkpoint.write("tokenizer.json", word_level(&vocab, Value::Null));
    let model = checkpoint.open().unwrap();
    let words = model.tokenizer().unwrap();
    assert_eq!(words.sentence("a cat", 32).unwrap(), [2, 4, 5, 3]);
    assert_eq!(words.padding(7).unwrap(), 0);
    let error = words.sentence("a dog", 32).unwrap_err().to_string();
    assert!(
        error.starts_with(&format!(
            "token `dog` has id {rows}, the bridge's text side has {rows} rows"
        )),
        "{error}"
    );
    vocab.insert("[CLS]".to_owned(), json!(rows + 1));
    checkpoint.write("tokenizer.json", word_level(&vocab, Value::Null));
    let error = checkpoint
        .open()
        .unwrap()
        .tokenizer()
        .unwrap()
        .sentence("a cat", 32)
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("token `[CLS]` has id"), "{error}");
}

fn word_level(vocab: &serde_json::Map<String, Value>, processor: Value) -> String {
    json!({"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": processor, "decoder": null,
        "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "[UNK]"}})
    .to_string()
}

#[test]
fn special_ids_without_a_row_are_refused() {
    for (key, value) in [
        ("eos_token_id", json!([201, 400])),
        ("eos_token_id", json!(400)),
        ("pad_token_id", json!(334)),
    ] {
        let checkpoint = Checkpoint::of("hub-opt");
        checkpoint.edit("generation_config.json", |file| file[key] = value);
        assert!(checkpoint.error().starts_with(&format!("`{key}` is ")), "{}", checkpoint.error());
    }
    let checkpoint = Checkpoint::of("hub-t5");
    checkpoint.edit("generation_config.json", |file| file["decoder_start_token_id"] = json!(4000));
    assert!(checkpoint.error().starts_with("`decoder_start_token_id` is 4000"));
    let checkpoint = Checkpoint::of("blip2-itm-tiny");
    checkpoint.edit("config.json", |file| file["decoder_start_token_id"] = json!(4000));
    assert!(checkpoint.error().contains("`decoder_start_token_id` is 4000, but the Q-Former has"));
}

#[test]
fn the_placeholder_of_a_picture_is_refused_in_a_prompt() {
    for name in ["hub-opt", "hub-t5"] {
        for text in ["<image>a photo of", "a <image>", "<image><image> what is it?"] {
            let error = prompt(&Checkpoint::of(name), text).unwrap_err();
            let wanted = format!(
                "the prompt holds `<image>`, which stands for the picture --> prompt `{text}`; \
                hint: leave"
            );
            assert!(error.starts_with(&wanted), "{error}");
        }
        // By its id too, whatever the token is called.
        let checkpoint = Checkpoint::of(name);
        let id = checkpoint.json("config.json")["image_token_index"].as_u64().unwrap();
        checkpoint.edit("tokenizer.json", |file| {
            let added = file["added_tokens"].as_array_mut().unwrap();
            added.retain(|token| token["id"] != json!(id));
            added.push(json!({"id": id, "content": "<pic>", "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true}));
        });
        assert!(
            prompt(&checkpoint, "a <pic>").unwrap_err().starts_with("the prompt holds `<pic>`")
        );
    }
}

#[test]
fn special_tokens_in_a_prompt_are_named() {
    let model = Checkpoint::of("hub-opt").open().unwrap();
    let words = model.tokenizer().unwrap();
    assert_eq!(words.special_tokens_in(["a photo of", "is 1 < 2?"]), None);
    let note = words.special_tokens_in(["what is</s> it"]).unwrap();
    assert!(note.contains("`</s>` (id 2) in `what is</s> it`"), "{note}");
    // A prompt that is refused is left out.
    assert_eq!(words.special_tokens_in(["<image>a photo of", "</s> <image>"]), None);
}

#[test]
fn ends_that_are_no_ids_are_refused_with_what_is_wanted() {
    for file in ["generation_config.json", "config.json"] {
        for wrong in [
            json!("x"),
            json!(-1),
            json!([201.0]),
            json!([1, "x"]),
            json!({}),
            json!(true),
            json!(1_u64 << 32),
        ] {
            let checkpoint = Checkpoint::of("hub-opt");
            checkpoint.edit(file, |all| match file {
                "config.json" => all["text_config"]["eos_token_id"] = wrong.clone(),
                _ => all["eos_token_id"] = wrong.clone(),
            });
            if file == "config.json" {
                checkpoint.remove("generation_config.json");
            }
            let error = checkpoint.error();
            let wanted =
                format!("eos_token_id` is {wrong}: wanted a token id, or a list of token ids --> ");
            assert!(error.contains(&wanted) && error.contains(file), "{error}");
        }
    }
}

#[test]
fn a_placeholder_past_the_table_is_noted() {
    for (name, key) in [("hub-opt", "image_token_index"), ("hub-t5", "image_token_index")] {
        let checkpoint = Checkpoint::of(name);
        let before = checkpoint.open().unwrap().notes.len();
        checkpoint.edit("config.json", |file| file[key] = json!(99_999));
        let notes = checkpoint.open().unwrap().notes;
        assert_eq!(notes.len(), before + 1);
        assert!(notes.iter().any(|note| {
            note.starts_with("`image_token_index` is 99999, but the language model has")
        }));
    }
}
