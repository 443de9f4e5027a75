//! Configurations against transformers 4.57.1 (`tests/fixtures/make_config_gaps.py`): with every
//! key, with only what differs from the library's defaults, and with what nobody should write.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};
use std::path::Path;
use toolkit_checkpoints::CheckpointError;
use toolkit_checkpoints::config::{Config, LanguageConfig, VisionConfig};

const GAPS: &str = include_str!("../../../tests/fixtures/config_gaps.json");

fn read_in(dir: &Path, config: &Value) -> Result<Config, CheckpointError> {
    std::fs::write(dir.join("config.json"), config.to_string()).unwrap();
    Config::read(&dir.join("config.json"))
}

fn read(config: &Value) -> Result<Config, CheckpointError> {
    let dir = tempfile::tempdir().unwrap();
    read_in(dir.path(), config)
}

/// Everything that is read, as text; what follows from another key is written out.
fn said(mut config: Config) -> String {
    match &mut config.language {
        Some(LanguageConfig::Opt(c)) => {
            c.word_embed_proj_dim = c.word_embed_proj_dim.or(Some(c.hidden_size))
        }
        Some(LanguageConfig::T5(c)) => {
            c.num_decoder_layers = c.num_decoder_layers.or(Some(c.num_layers))
        }
        Some(LanguageConfig::Llama(_)) | None => {}
    }
    format!("{config:?}")
}

fn cases() -> Vec<(String, Value, Value)> {
    let all: Vec<Value> = serde_json::from_str(GAPS).unwrap();
    let case = |case: &Value| {
        (case["name"].as_str().unwrap().to_owned(), case["full"].clone(), case["sparse"].clone())
    };
    all.iter().map(case).collect()
}

#[test]
fn gaps_are_filled_as_transformers_fills_them() {
    let mut texts = std::collections::BTreeSet::new();
    for (name, full, sparse) in cases() {
        let full = said(read(&full).unwrap());
        assert_eq!(full, said(read(&sparse).unwrap()), "{name}");
        texts.insert(full);
    }
    assert_eq!(texts.len(), cases().len(), "the configurations differ from each other");
}

#[test]
fn what_is_said_is_read() {
    let by_name = |wanted: &str| {
        let (_, full, _) = cases().into_iter().find(|(name, ..)| name == wanted).unwrap();
        read(&full).unwrap()
    };
    let flan = by_name("flan-t5-xl");
    let Some(LanguageConfig::T5(c)) = &flan.language else { panic!("{flan:?}") };
    assert_eq!((c.d_model, c.num_layers, c.gated, c.tie_word_embeddings), (2048, 24, true, false));
    assert_eq!(
        (
            flan.special_tokens.eos.first(),
            flan.special_tokens.pad,
            flan.special_tokens.decoder_start,
            flan.special_tokens.bos
        ),
        (1, 0, 0, None)
    );
    assert_eq!(flan.image_token, Some(32_100));
    let opt = by_name("opt-2.7b");
    let Some(LanguageConfig::Opt(c)) = &opt.language else { panic!("{opt:?}") };
    assert_eq!((c.hidden_size, c.vocab_size, c.do_layer_norm_before), (2560, 50_304, true));
    assert_eq!(
        (opt.special_tokens.bos, opt.special_tokens.eos.first(), opt.special_tokens.pad),
        (Some(2), 2, 1)
    );
    assert_eq!((opt.qformer.num_query_tokens, opt.qformer.image_text_hidden_size), (16, 128));
    let odd = by_name("odd parts");
    let Some(VisionConfig::Eva(c)) = &odd.vision else { panic!("{odd:?}") };
    assert_eq!((c.hidden_size, c.qkv_bias, c.layer_norm_eps), (64, false, 1e-5));
    assert!(odd.retrieval && odd.language.is_none());
    assert_eq!(
        (odd.qformer.cross_attention_frequency, odd.qformer.vision_layer_norm_eps),
        (3, 1e-5)
    );
}

#[test]
fn generation_settings_win_over_the_configuration() {
    let (_, full, _) = cases().remove(0);
    let dir = tempfile::tempdir().unwrap();
    // Of a list the first; null is not said.
    let generation = json!({"eos_token_id": [50_118, 7], "bos_token_id": null, "pad_token_id": 3});
    std::fs::write(dir.path().join("generation_config.json"), generation.to_string()).unwrap();
    let special_tokens = read_in(dir.path(), &full).unwrap().special_tokens;
    assert_eq!(
        (special_tokens.bos, special_tokens.eos.first(), special_tokens.pad),
        (Some(2), 50_118, 3)
    );
}

/// The paths of all single values.
fn leaves(value: &Value, at: &[String], all: &mut Vec<Vec<String>>) {
    match value.as_object() {
        Some(object) => object
            .iter()
            .for_each(|(key, inner)| leaves(inner, &[at, std::slice::from_ref(key)].concat(), all)),
        None => all.push(at.to_vec()),
    }
}

fn leaf<'a>(value: &'a mut Value, at: &[String]) -> &'a mut Value {
    at.iter().fold(value, |value, key| &mut value[key])
}

#[test]
fn a_wrong_value_is_named_or_harmless() {
    let wrong = [
        json!(null),
        json!("x"),
        json!(-1),
        json!(0),
        json!(1.5),
        json!([]),
        json!({}),
        json!(true),
    ];
    let huge = [json!(10_000_000), json!(1_u64 << 62), json!(1e300)];
    let dir = tempfile::tempdir().unwrap();
    let mut refused = 0;
    for wanted in ["opt-2.7b", "t5 of two depths", "odd parts"] {
        let (_, full, _) = cases().into_iter().find(|(name, ..)| name == wanted).unwrap();
        let mut all = Vec::new();
        leaves(&full, &[], &mut all);
        for at in all {
            for value in wrong.iter().chain(&huge) {
                let mut config = full.clone();
                *leaf(&mut config, &at) = value.clone();
                match read_in(dir.path(), &config) {
                    // Shapes that contradict each other are found before anything is built of them.
                    Ok(config) => {
                        let _ = config.vision.map(|c| {
                            c.describe().map_err(|error| assert!(!error.what.contains('\n')))
                        });
                        let _ = config.language.map(|c| {
                            c.describe().map_err(|error| assert!(!error.what.contains('\n')))
                        });
                    }
                    Err(error) => {
                        let error = error.to_string();
                        refused += 1;
                        assert!(!error.contains('\n') && error.contains("hint: "), "{error}");
                        assert!(
                            error.contains(at.last().unwrap()) || error.contains("architectures"),
                            "{at:?}: {error}"
                        );
                    }
                }
            }
        }
    }
    assert!(refused > 300, "{refused}");
}

#[test]
fn what_is_no_configuration_of_a_blip2_is_refused() {
    for (config, part) in [
        (json!([]), "not of a BLIP-2"),
        (json!({}), "not of a BLIP-2"),
        (json!({"hidden_size": 768}), "not of a BLIP-2"),
        (json!({"vision_config": {"model_type": "swin"}}), "`vision_config.model_type`"),
        (json!({"text_config": {"model_type": "gpt2"}}), "`text_config.model_type`"),
        (json!({"qformer_config": {"hidden_act": "relu"}}), "`qformer_config.hidden_act`"),
        (
            json!({"qformer_config": {"position_embedding_type": "relative_key"}}),
            "position_embedding_type",
        ),
        (
            json!({"text_config": {"activation_function": "gelu"}}),
            "`text_config.activation_function`",
        ),
        (
            json!({"text_config": {"model_type": "t5", "feed_forward_proj": "swish"}}),
            "feed_forward_proj",
        ),
    ] {
        let error = read(&config).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("config.json"), "{").unwrap();
    assert!(
        Config::read(&dir.path().join("config.json"))
            .unwrap_err()
            .to_string()
            .contains("this is no JSON")
    );
}
