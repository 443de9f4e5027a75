//! Configurations of transformers 5, lists of ends, other language models, and models that are no
//! BLIP-2.

use super::{Checkpoint, open};
use burn::tensor::{Device, Int, Tensor};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use toolkit_checkpoints::config::{Config, LanguageConfig};
use toolkit_checkpoints::convert::{To, convert};
use toolkit_checkpoints::write::Form;
use toolkit_core::params::{self, Init, Values, floats};
use toolkit_core::{LanguageKind, LanguageModel};
use toolkit_models::language::llama::{Llama, LlamaConfig};
use toolkit_models::language::t5::T5Config;
use toolkit_vlm::Vlm;

/// Changes a configuration to what transformers 5.24 writes for a Flan-T5.
fn t5_of_5(file: &mut Value) {
    let text = &mut file["text_config"];
    text["tie_word_embeddings"] = json!(true);
    text["scale_decoder_outputs"] = json!(false);
    text["is_decoder"] = json!(false);
    file["dtype"] = json!("float32");
    file["transformers_version"] = json!("5.24.0");
}

/// Returns `true` if the language model has no head of its own.
fn is_tied(model: &Vlm) -> bool {
    let infos = params::list(&model.language().unwrap().model);
    !infos.iter().any(|info| info.name == "lm_head.weight")
}

/// Reads the configuration of a T5.
fn t5_config(folder: &Path) -> T5Config {
    let config = Config::read(&folder.join("config.json")).unwrap();
    let Some(LanguageConfig::T5(config)) = config.language else { panic!("a T5") };
    config
}

#[test]
fn a_t5_that_says_it_is_tied_keeps_the_head_that_its_file_has() {
    assert!(Checkpoint::of("hub-t5").holds());
    let checkpoint = Checkpoint::of("hub-t5");
    checkpoint.edit("config.json", t5_of_5);
    assert!(checkpoint.holds());
    let model = checkpoint.open().unwrap();
    assert!(!is_tied(&model) && !t5_config(checkpoint.0.path()).scaled());
    // Scaling is said by its own key, whether the head is tied or not.
    checkpoint
        .edit("config.json", |file| file["text_config"]["scale_decoder_outputs"] = json!(true));
    assert!(!checkpoint.holds());
}

#[test]
fn a_tied_head_may_be_missing_or_a_copy_and_scaling_is_said_beside_it() {
    let head = "language_model.lm_head.weight";
    let table = |all: &BTreeMap<String, Values>| all["language_model.shared.weight"].clone();
    // With the table as its head, the model of 5 computes the same as one of 4 whose untied head is
    // a copy.
    let of_4 = Checkpoint::of("hub-t5");
    of_4.tensors(|mut all| {
        all.insert(head.to_owned(), table(&all));
        all
    });
    let logits = |checkpoint: &Checkpoint| {
        let model = checkpoint.open().unwrap();
        let language = &model.language().unwrap().model;
        let ids = || Tensor::<2, Int>::from_data([[5, 9, 2]], &Device::flex());
        let ones = || Tensor::<2>::ones([1, 3], &Device::flex());
        let memory = language.encode(language.embed(ids()), ones());
        floats(language.logits(language.decode(language.embed(ids()), ones(), Some(&memory), None)))
    };
    let wanted = logits(&of_4);
    let copied = Checkpoint::of("hub-t5");
    copied.edit("config.json", t5_of_5).tensors(|mut all| {
        all.insert(head.to_owned(), table(&all));
        all
    });
    let missing = Checkpoint::of("hub-t5");
    missing.edit("config.json", t5_of_5).tensors(|mut all| {
        all.remove(head);
        all
    });
    for checkpoint in [&copied, &missing] {
        assert!(is_tied(&checkpoint.open().unwrap()));
        let found = logits(checkpoint);
        assert!(found.iter().zip(&wanted).all(|(a, b)| (a - b).abs() < 1e-4 * b.abs().max(1.0)));
    }
    // The original T5: tied and scaled.
    missing.edit("config.json", |file| file["text_config"]["scale_decoder_outputs"] = Value::Null);
    let width = missing.json("config.json")["text_config"]["d_model"].as_f64().unwrap() as f32;
    let scaled = logits(&missing);
    assert!(
        scaled
            .iter()
            .zip(&wanted)
            .all(|(a, b)| (a - b / width.sqrt()).abs() < 1e-4 * b.abs().max(1.0))
    );
    // A head that is not said to be tied must be there.
    missing.edit("config.json", |file| file["text_config"]["tie_word_embeddings"] = json!(false));
    assert!(
        missing.error().contains("1 missing (language_model.lm_head.weight)"),
        "{}",
        missing.error()
    );
}

/// Ids of a greedy caption of `wide.png`, with the end.
fn greedy(checkpoint: &Checkpoint) -> Vec<u32> {
    let case = json!([{"image": "wide.png", "prompt": null, "num_beams": 1, "max_new_tokens": 10, "ids": [], "text": ""}]);
    checkpoint.write("expected.json", case.to_string()).remove("reference.safetensors");
    let subject = toolkit_checkpoints::verify::Subject {
        folder: checkpoint.0.path().to_owned(),
        open: &|device, frozen| super::open_on(checkpoint.0.path(), device, frozen),
    };
    toolkit_checkpoints::verify::verify(&subject, None, &Device::flex()).unwrap().generations[0]
        .ids
        .clone()
}

#[test]
fn every_end_of_a_list_ends_a_text() {
    // Right values: transformers with the single id 178, and with the list.
    for (file, list) in
        [("generation_config.json", json!([201, 178])), ("config.json", json!([201, 178, 201]))]
    {
        let checkpoint = Checkpoint::of("hub-opt");
        checkpoint.edit("generation_config.json", |all| {
            all.as_object_mut().unwrap().remove("eos_token_id");
        });
        checkpoint.edit(file, |all| match file {
            "config.json" => all["text_config"]["eos_token_id"] = list,
            _ => all["eos_token_id"] = list,
        });
        assert_eq!(greedy(&checkpoint), [94, 94, 178]);
        assert_eq!(
            checkpoint.open().unwrap().language().unwrap().special_tokens.eos.ids(),
            [201, 178]
        );
    }
    let one = Checkpoint::of("hub-opt");
    assert_eq!(greedy(&one).len(), 10, "with one end it is cut");
    one.edit("generation_config.json", |all| all["eos_token_id"] = json!([]));
    assert!(one.error().contains("`eos_token_id` is []"), "{}", one.error());
}

#[test]
fn keys_of_a_search_that_are_not_followed_are_told_in_one_line() {
    let checkpoint = Checkpoint::of("hub-opt");
    let same = json!({"num_beams": 1, "max_length": 20, "repetition_penalty": 1, "do_sample": false, "suppress_tokens": []});
    let set = |more: &Value| {
        checkpoint.edit("generation_config.json", |all| {
            all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        });
        checkpoint.open().unwrap().notes
    };
    assert!(set(&same).is_empty());
    let other = json!({"num_beams": 4, "repetition_penalty": 1.2, "suppress_tokens": [5, 6], "no_repeat_ngram_size": 3});
    let notes = set(&other);
    assert_eq!(notes.len(), 1, "{notes:?}");
    let keys = "not followed: `num_beams` = 4, `repetition_penalty` = 1.2, `no_repeat_ngram_size` \
        = 3, `suppress_tokens` = [5,6]";
    assert!(notes[0].starts_with(keys) && notes[0].contains("generation_config.json"), "{notes:?}");
}

/// The checkpoint written again as a Hugging Face folder.
fn converted(checkpoint: &Checkpoint) -> tempfile::TempDir {
    let out = tempfile::tempdir().unwrap();
    convert(checkpoint.0.path(), out.path(), To::HuggingFace, Form::default()).unwrap();
    out
}

#[test]
fn ends_and_scaling_survive_being_written() {
    let checkpoint = Checkpoint::of("hub-t5");
    checkpoint
        .edit("config.json", t5_of_5)
        .edit("generation_config.json", |all| all["eos_token_id"] = json!([1, 5]));
    let out = converted(&checkpoint);
    let model = open(out.path()).unwrap();
    let language = model.language().unwrap();
    assert_eq!(language.special_tokens.eos.ids(), [1, 5]);
    let c = t5_config(out.path());
    assert!(!is_tied(&model) && !c.tie_word_embeddings && !c.scaled());
    let written = std::fs::read_to_string(out.path().join("config.json")).unwrap();
    let written: Value = serde_json::from_str(&written).unwrap();
    assert_eq!(written["text_config"]["scale_decoder_outputs"], json!(false));
    assert_eq!(written["text_config"]["eos_token_id"], json!([1, 5]));
}

#[test]
fn an_mt5_is_a_t5_whose_states_are_never_scaled() {
    for tied in [json!(false), json!(true)] {
        let checkpoint = Checkpoint::of("hub-t5");
        checkpoint.edit("config.json", |file| {
            file["text_config"]["model_type"] = json!("mt5");
            file["text_config"]["tie_word_embeddings"] = tied;
        });
        assert!(checkpoint.holds());
    }
}

#[test]
fn a_llama_writes_in_a_blip2() {
    let device = Device::flex();
    let c: LlamaConfig = serde_json::from_value(json!({"vocab_size": 334, "hidden_size": 40, "intermediate_size": 56,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 128,
        "rope_theta": 500.0, "rms_norm_eps": 1e-5}))
    .unwrap();
    let llama =
        params::initialise(Llama::build(&c, &device), 3, |info| match params::bert_rule(info) {
            Init::Normal(_) => Init::Normal(0.2),
            constant => constant,
        });
    let checkpoint = Checkpoint::of("hub-opt");
    checkpoint.edit("config.json", |file| {
        // As transformers 5 writes it: the base of the positions beside the kind of scaling.
        file["text_config"] = json!({"model_type": "llama", "vocab_size": 334, "hidden_size": 40, "intermediate_size": 56,
            "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 128,
            "rms_norm_eps": 1e-5, "rope_parameters": {"rope_theta": 500.0, "rope_type": "default"}, "pad_token_id": -1});
    });
    checkpoint.tensors(|mut all| {
        all.retain(|name, _| !name.starts_with("language_model."));
        all.extend(
            params::export(&llama)
                .into_iter()
                .map(|(name, values)| (format!("language_model.{name}"), values)),
        );
        all
    });
    let model = checkpoint.open().unwrap();
    let language = model.language().unwrap();
    assert_eq!(
        (language.shape.kind, language.special_tokens.bos),
        (LanguageKind::DecoderOnly, Some(2)),
        "the file says so"
    );
    let ids = || Tensor::<2, Int>::from_data([[5, 9, 2, 300]], &device);
    let ones = || Tensor::<2>::ones([1, 4], &device);
    let ours = language.model.logits(language.model.decode(
        language.model.embed(ids()),
        ones(),
        None,
        None,
    ));
    let wanted = llama.logits(llama.decode(llama.embed(ids()), ones(), None, None));
    assert_eq!(floats(ours), floats(wanted));
    assert!(!greedy(&checkpoint).is_empty());
    let again = converted(&checkpoint);
    let again = open(again.path()).unwrap();
    let again = again.language().unwrap();
    let theirs =
        again.model.logits(again.model.decode(again.model.embed(ids()), ones(), None, None));
    assert_eq!(
        floats(theirs),
        floats(llama.logits(llama.decode(llama.embed(ids()), ones(), None, None)))
    );
    assert_eq!(
        (again.special_tokens.bos, again.special_tokens.eos),
        (language.special_tokens.bos, language.special_tokens.eos)
    );
    let lavis = convert(
        checkpoint.0.path(),
        &checkpoint.path("x.pth"),
        To::Lavis { all: true },
        Form::default(),
    );
    assert!(lavis.unwrap_err().to_string().contains("this one has a Llama"));
    for (key, value, what) in [
        ("rope_scaling", json!({"rope_type": "llama3", "factor": 8.0}), "is `llama3`"),
        ("attention_bias", json!(true), "without biases"),
        ("hidden_act", json!("gelu"), "Llama has `silu`"),
    ] {
        let before = checkpoint.json("config.json");
        checkpoint.edit("config.json", |file| file["text_config"][key] = value);
        assert!(checkpoint.error().contains(what), "{}", checkpoint.error());
        checkpoint.write("config.json", before.to_string());
    }
}

#[test]
fn other_models_are_called_by_their_name() {
    let refused = |change: &dyn Fn(&mut Value)| {
        let checkpoint = Checkpoint::of("hub-opt");
        checkpoint.edit("config.json", change);
        checkpoint.error()
    };
    let named = |class: &str, kind: &str| {
        refused(&|file: &mut Value| {
            file["architectures"] = json!([class]);
            file["model_type"] = json!(kind);
        })
    };
    let error = named("InstructBlipForConditionalGeneration", "instructblip");
    assert!(
        error.starts_with("this is an InstructBLIP; its Q-Former reads the question"),
        "{error}"
    );
    assert!(
        named("InstructBlipVideoForConditionalGeneration", "instructblipvideo")
            .contains("InstructBLIP for videos")
    );
    assert!(
        named("BlipForConditionalGeneration", "blip").starts_with("this is a BLIP (version 1)")
    );
    let error = refused(&|file: &mut Value| file["text_config"]["model_type"] = json!("bloom"));
    assert!(error.contains("is `bloom`; known: `opt`, `t5`, `mt5`, `llama`"), "{error}");
    let plain = Checkpoint::of("hub-opt");
    plain.write("config.json", json!({"model_type": "gpt2", "n_embd": 4}).to_string());
    assert!(
        plain
            .error()
            .starts_with("this configuration is not of a BLIP-2, its `model_type` is `gpt2`")
    );
    for (said, what) in [
        (
            json!({"load_in_8bit": true, "quant_method": "bitsandbytes"}),
            "by bitsandbytes to 8 bits",
        ),
        (json!({"load_in_4bit": true}), "by bitsandbytes to 4 bits"),
        (json!({"quant_method": "gptq", "bits": 4}), "by gptq to 4 bits"),
        (json!({"quant_method": "awq", "bits": 4}), "by awq to 4 bits"),
    ] {
        for part in ["", "text_config"] {
            let error = refused(&|file: &mut Value| match part {
                "" => file["quantization_config"] = said.clone(),
                part => file[part]["quantization_config"] = said.clone(),
            });
            assert!(error.contains(what) && error.contains("which is not read"), "{error}");
        }
    }
}

#[test]
fn a_damaged_configuration_is_read_or_refused_in_one_line() {
    for file in ["config.json", "generation_config.json"] {
        let checkpoint = Checkpoint::of("hub-t5");
        let whole = std::fs::read(checkpoint.path(file)).unwrap();
        let config = |bytes: &[u8]| {
            checkpoint.write(file, bytes);
            Config::read(&checkpoint.path("config.json"))
        };
        for at in (0..whole.len() - 2).step_by(11) {
            let cut = config(&whole[..at]).unwrap_err().to_string();
            assert!(cut.contains(file) && !cut.contains('\n'), "cut at {at}: {cut}");
            for piece in
                [&b"-1"[..], b"1e400", b"[]", b"{", b"null", b"18446744073709551616", b"\xff"]
            {
                let damaged =
                    [&whole[..at], piece, &whole[(at + piece.len()).min(whole.len())..]].concat();
                let _ =
                    config(&damaged).map_err(|error| assert!(!error.to_string().contains('\n')));
            }
        }
    }
}
