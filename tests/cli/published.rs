//! Published checkpoints: verified, used and converted.

use super::support::{TINY, experiment, finished, fixture, folder, text, toolkit};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toolkit_core::params::Values;
use toolkit_models::weights::{StoredDtype, read_safetensors, write_safetensors};

pub fn copy(name: &str) -> tempfile::TempDir {
    let dir = folder();
    for entry in std::fs::read_dir(fixture(name)).unwrap().flatten() {
        std::fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
    }
    dir
}

fn weights(dir: &Path) -> BTreeMap<String, Values> {
    read_safetensors(&std::fs::read(dir.join("model.safetensors")).unwrap()).unwrap().0
}

fn put(dir: &Path, tensors: &BTreeMap<String, Values>) {
    write_safetensors(&dir.join("model.safetensors"), tensors, StoredDtype::F32, BTreeMap::new())
        .unwrap();
}

fn rename(dir: &Path, change: impl Fn(&mut BTreeMap<String, Values>)) {
    let mut tensors = weights(dir);
    change(&mut tensors);
    put(dir, &tensors);
}

pub fn edit_config(dir: &Path, change: impl Fn(&mut Value)) {
    let path = dir.join("config.json");
    let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut config);
    std::fs::write(path, config.to_string()).unwrap();
}

/// Key biases to zero, as every published EVA has them: what LAVIS can hold.
fn without_key_biases(tensors: &mut BTreeMap<String, Values>) {
    for (_, bias) in tensors.iter_mut().filter(|(name, _)| name.ends_with("qkv.bias")) {
        let third = bias.data.len() / 3;
        bias.data[third..2 * third].fill(0.0);
    }
}

#[test]
fn every_reference_holds() {
    for name in [
        "blip2-opt-tiny",
        "blip2-t5-tiny",
        "blip2-itm-tiny",
        "hub-opt",
        "hub-t5",
        "stage1-tiny/checkpoint.pth",
    ] {
        let report = toolkit(&["verify", &fixture(name), "--json"]).json();
        let tensors = report["tensors"].as_array().unwrap();
        let generations = report["generations"].as_array().unwrap();
        assert!(tensors.iter().chain(generations).all(|row| row["ok"] == true), "{name}");
        assert!(tensors.len() >= 3, "{name}");
        assert_eq!(generations.len(), if name.starts_with("hub") { 6 } else { 0 });
    }
    assert!(
        toolkit(&["verify", &fixture("blip2-opt-tiny")])
            .ok()
            .stdout
            .contains("stage2.grad.query_tokens")
    );
}

#[test]
fn what_differs_does_not_hold() {
    let dir = copy("blip2-opt-tiny");
    rename(dir.path(), |tensors| tensors.get_mut("query_tokens").unwrap().data[0] += 0.1);
    let called = toolkit(&["verify", "--quiet", text(dir.path())]);
    assert!(called.stdout.contains("differs"), "{}", called.stdout);
    called.fails_with(&["outputs differ from the reference"]);

    // What nobody computes, and what is no number.
    let dir = copy("blip2-itm-tiny");
    let bytes = std::fs::read(dir.path().join("reference.safetensors")).unwrap();
    let mut tensors: BTreeMap<String, _> = safetensors::SafeTensors::deserialize(&bytes)
        .unwrap()
        .iter()
        .map(|(n, v)| (n.to_owned(), v.clone()))
        .collect();
    let logits = &tensors["output/itm.logits"];
    let nan: Vec<u8> =
        f32::NAN.to_le_bytes().into_iter().chain(logits.data()[4..].iter().copied()).collect();
    let spoilt =
        safetensors::tensor::TensorView::new(logits.dtype(), logits.shape().to_vec(), &nan)
            .unwrap();
    tensors.insert("output/itm.other".to_owned(), spoilt.clone());
    tensors.insert("output/itm.logits".to_owned(), spoilt);
    let other = dir.path().join("other.safetensors");
    std::fs::write(&other, safetensors::serialize(&tensors, None).unwrap()).unwrap();
    let called = toolkit(&["verify", "--quiet", text(dir.path()), "--reference", text(&other)]);
    assert!(
        called.stdout.contains("not compared: this checkpoint does not compute it"),
        "{}",
        called.stdout
    );
    called.fails_with(&["2 of 5 outputs differ"]);

    toolkit(&["verify", "--quiet", text(dir.path()), "--reference", "nowhere.safetensors"])
        .fails_with(&["nowhere.safetensors"]);
    toolkit(&["verify", "--quiet", &fixture("nowhere")]).fails_with(&["nowhere"]);
}

#[test]
fn everything_that_does_not_fit_is_named_at_once() {
    let dir = copy("blip2-opt-tiny");
    rename(dir.path(), |tensors| {
        tensors.remove("qformer.layernorm.bias");
        let extra = Values { shape: vec![1], data: vec![0.0] };
        tensors.insert("qformer.extra".to_owned(), extra.clone());
        tensors.insert("query_tokens".to_owned(), extra);
    });
    let parts = [
        "1 missing (qformer.layernorm.bias)",
        "1 unexpected (qformer.extra)",
        "1 misshaped (query_tokens",
    ];
    toolkit(&["verify", "--quiet", text(dir.path())]).fails_with(&parts);

    let dir = copy("blip2-opt-tiny");
    rename(dir.path(), |tensors| {
        let mut head = tensors["language_model.model.decoder.embed_tokens.weight"].clone();
        head.data[5] += 1.0;
        tensors.insert("language_model.lm_head.weight".to_owned(), head);
    });
    toolkit(&["verify", "--quiet", text(dir.path())]).fails_with(&["lm_head.weight: differs from"]);

    let dir = copy("blip2-opt-tiny");
    std::fs::remove_file(dir.path().join("config.json")).unwrap();
    toolkit(&["verify", "--quiet", text(dir.path())]).fails_with(&["config.json"]);
    let dir = copy("blip2-opt-tiny");
    edit_config(dir.path(), |config| config["text_config"]["hidden_size"] = "wide".into());
    toolkit(&["verify", "--quiet", text(dir.path())])
        .fails_with(&["`text_config.hidden_size`", "not a count"]);
}

#[test]
fn older_names_and_gaps_are_read() {
    // Two biases in place of one, tied copies, buffers.
    let dir = copy("blip2-opt-tiny");
    rename(dir.path(), |tensors| {
        without_key_biases(tensors);
        let names: Vec<String> =
            tensors.keys().filter(|name| name.ends_with("qkv.bias")).cloned().collect();
        for name in names {
            let all = tensors.remove(&name).unwrap().data;
            let third = all.len() / 3;
            for (part, rows) in [("q_bias", &all[..third]), ("v_bias", &all[2 * third..])] {
                let values = Values { shape: vec![third], data: rows.to_vec() };
                tensors.insert(name.replace("qkv.bias", part), values);
            }
        }
        let table = tensors["language_model.model.decoder.embed_tokens.weight"].clone();
        tensors.insert("language_model.lm_head.weight".to_owned(), table);
        tensors.insert(
            "qformer.embeddings.position_ids".to_owned(),
            Values { shape: vec![1, 2], data: vec![0.0, 1.0] },
        );
    });
    let new = copy("blip2-opt-tiny");
    rename(new.path(), without_key_biases);
    let logits = |dir: &Path| {
        let rows = toolkit(&["verify", text(dir), "--json", "--quiet"]).stdout;
        let report: Value = serde_json::from_str(&rows).unwrap();
        let row = |r: &&Value| r["name"] == "language.logits";
        report["tensors"].as_array().unwrap().iter().find(row).unwrap()["largest_difference"]
            .as_f64()
            .unwrap()
    };
    assert!((logits(dir.path()) - logits(new.path())).abs() < 1e-9);

    // Keys that say what the library's default is anyway.
    let dir = copy("blip2-t5-tiny");
    edit_config(dir.path(), |config| {
        for key in ["layer_norm_eps", "hidden_act", "qkv_bias", "model_type"] {
            config["vision_config"].as_object_mut().unwrap().remove(key);
        }
        for key in ["cross_attention_frequency", "layer_norm_eps", "hidden_act"] {
            config["qformer_config"].as_object_mut().unwrap().remove(key);
        }
        for key in ["use_decoder_only_language_model", "image_token_index", "initializer_range"] {
            config.as_object_mut().unwrap().remove(key);
        }
    });
    toolkit(&["verify", text(dir.path())]).ok();
}

#[test]
fn conversions_come_back_equal() {
    let dir = folder();
    let at = |name: &str| dir.path().join(name);

    // LAVIS to LAVIS, and what transformers' retrieval class keeps of it.
    let pth = fixture("stage1-tiny/checkpoint.pth");
    toolkit(&["convert", &pth, text(&at("lavis/a.pth")), "--to", "lavis"]).ok();
    let reference = fixture("stage1-tiny/reference.safetensors");
    toolkit(&["verify", text(&at("lavis/a.pth")), "--reference", &reference]).ok();
    let tensors = |path: &Path| {
        let file = toolkit_formats::Tensors::open(path).unwrap();
        let one = |name: &str| {
            (name.to_owned(), (file.info(name).unwrap().shape.clone(), file.read(name).unwrap()))
        };
        file.names().map(one).collect::<BTreeMap<_, _>>()
    };
    let (before, after) = (tensors(Path::new(&pth)), tensors(&at("lavis/a.pth")));
    let lost: Vec<&String> = before.keys().filter(|name| !after.contains_key(*name)).collect();
    assert!(
        lost.iter()
            .all(|name| name.ends_with("position_ids") || name.contains("predictions.decoder.")),
        "{lost:?}"
    );
    assert!(after.len() > 100 && after.iter().all(|(name, tensor)| before[name] == *tensor));
    toolkit(&["convert", "--quiet", &pth, text(&at("no")), "--to", "hf"])
        .fails_with(&["needs an encoder"]);

    // Hugging Face to LAVIS, frozen parts and all, and back.
    let source = copy("blip2-opt-tiny");
    let refused = at("refused.pth");
    toolkit(&["convert", "--quiet", text(source.path()), text(&refused), "--to", "lavis", "--all"])
        .fails_with(&["have a bias"]);
    assert!(!refused.exists());
    rename(source.path(), without_key_biases);
    toolkit(&["convert", text(source.path()), text(&at("b/b.pth")), "--to", "lavis", "--all"]).ok();
    toolkit(&["convert", text(&at("b/b.pth")), text(&at("c")), "--to", "hf"]).ok();
    assert_eq!(weights(&at("c")), weights(source.path()));

    // Shards; retrieval; a T5.
    for name in ["blip2-itm-tiny", "hub-t5"] {
        let out = at(name);
        let made = toolkit(&[
            "convert",
            &fixture(name),
            text(&out),
            "--to",
            "hf",
            "--shard",
            "1000000",
            "--json",
        ])
        .json();
        assert!(made["files"].as_array().unwrap().len() > 1);
        let single = at(&format!("{name}-single"));
        toolkit(&["convert", text(&out), text(&single), "--to", "hf"]).ok();
        assert_eq!(weights(&single), weights(Path::new(&fixture(name))), "{name}");
    }
    let there = at("blip2-itm-tiny");
    let again = ["convert", "--quiet", &fixture("blip2-itm-tiny"), text(&there), "--to", "hf"];
    toolkit(&again).fails_with(&["there is a checkpoint already"]);
    let itm = fixture("blip2-itm-tiny/reference.safetensors");
    toolkit(&["verify", text(&at("blip2-itm-tiny")), "--reference", &itm]).ok();

    // Half precision is half the size and nearly the same.
    toolkit(&["convert", &fixture("hub-opt"), text(&at("half")), "--to", "hf", "--store", "bf16"])
        .ok();
    let size = |path: PathBuf| std::fs::metadata(path).unwrap().len();
    let (half, whole) = (
        size(at("half/model.safetensors")),
        size(PathBuf::from(fixture("hub-opt/model.safetensors"))),
    );
    assert!(half * 10 < whole * 6);
}

#[test]
fn a_hub_folder_speaks() {
    let (model, wide, tall) =
        (fixture("hub-opt"), fixture("hub-opt/wide.png"), fixture("hub-opt/tall.png"));
    let expected: Value =
        serde_json::from_slice(&std::fs::read(fixture("hub-opt/expected.json")).unwrap()).unwrap();
    let search = ["--beams", "3", "--max-new-tokens", "10", "--length-penalty", "1.0"];
    let call = |command: &[&str], more: &[&str]| {
        let called = toolkit(&[command, &search, more, &["--json"]].concat());
        if command[0] == "caption" { called.json_lines() } else { called.json() }
    };

    // As transformers wrote, several pictures at once or one.
    let both = call(&["caption", &model, &wide, &tall], &[]);
    assert_eq!(both[0]["ids"], expected[0]["ids"]);
    assert_eq!(both[1]["ids"], expected[2]["ids"]);
    assert_eq!(call(&["caption", &model, &tall], &[])[0], both[1]);
    let question = "what color is the car?";
    let vqa = call(
        &["vqa", &model, &wide, "--question", question, "--prompt", "question: {} answer:"],
        &[],
    );
    assert_eq!(
        (&vqa["ids"], &vqa["prompt"]),
        (&expected[1]["ids"], &format!("question: {question} answer:").into())
    );
    let two = call(&["vqa", &model, &wide, "--question", "a?", "--question", "b?"], &[]);
    assert_eq!(two[1]["prompt"], "Question: b? Answer:");

    // A conversation carries what was said.
    let chat =
        call(&["chat", &model, &wide, "--question", "what is it?", "--question", "why?"], &[]);
    let said = chat["turns"][0]["text"].as_str().unwrap().trim_end_matches('.').to_owned();
    assert_eq!(
        chat["turns"][1]["prompt"],
        format!("Question: what is it? Answer: {said}. Question: why? Answer:")
    );

    // Settings reach the search.
    let longer = call(
        &["caption", &model, &wide],
        &["--min-new-tokens", "10", "--repetition-penalty", "1.5", "--early-stopping", "never"],
    );
    assert_eq!(longer[0]["ids"].as_array().unwrap().len(), 10);
    let three = call(&["caption", &model, &wide], &["--answers", "3"]);
    assert_eq!(three[0]["answers"].as_array().unwrap().len(), 3);
    let draw = |seed: &str| {
        let drawn = [
            "caption",
            &model,
            &wide,
            "--top-p",
            "0.9",
            "--temperature",
            "1.5",
            "--top-k",
            "40",
            "--answers",
            "2",
        ];
        toolkit(&[&drawn[..], &["--seed", seed, "--json"]].concat()).json_lines()
    };
    assert_eq!(draw("1"), draw("1"));
    assert_ne!(draw("1"), draw("2"));
    toolkit(&["caption", "--quiet", &model, &wide, "--top-p", "0.9", "--beams", "2"])
        .fails_with(&["`sample` with `beams` = 2"]);
    toolkit(&["caption", "--quiet", &model, &wide, "--top-p", "1.5"])
        .fails_with(&["`top_p` = 1.5"]);

    // Half precision is close.
    let score = |dtype: &str| {
        call(&["caption", &model, &wide], &["--dtype", dtype])[0]["score"].as_f64().unwrap()
    };
    assert!((score("bf16") - score("f32")).abs() < 0.05);
    assert!(
        toolkit(&["caption", &fixture("hub-t5"), &wide, "--json"]).json_lines()[0]["ids"]
            .is_array()
    );
    toolkit(&["match", "--quiet", &model, &wide, "--text", "a cat"])
        .fails_with(&["has no text side"]);
}

/// A copy of `blip2-itm-tiny` with a tokenizer of 96 words, so that it can read texts.
pub fn matcher() -> tempfile::TempDir {
    let dir = copy("blip2-itm-tiny");
    let vocabulary: Vec<String> = (0..96).map(|i| format!("w{i}")).collect();
    let words: String =
        vocabulary.iter().enumerate().map(|(i, word)| format!(", \"{word}\": {}", i + 4)).collect();
    let tokenizer = format!(
        r#"{{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null, "pre_tokenizer": {{"type": "Whitespace"}}, "post_processor": null, "decoder": null, "model": {{"type": "WordLevel", "vocab": {{"[PAD]": 0, "[CLS]": 1, "[SEP]": 2, "[UNK]": 3{words}}}, "unk_token": "[UNK]"}}}}"#
    );
    std::fs::write(dir.path().join("tokenizer.json"), tokenizer).unwrap();
    dir
}

#[test]
fn a_text_side_needs_its_tokenizer() {
    let picture = fixture("hub-opt/wide.png");
    let model = fixture("blip2-itm-tiny");
    toolkit(&["match", "--quiet", &model, &picture, "--text", "a cat"])
        .fails_with(&["no tokenizer", "tokenizer.json"]);
    toolkit(&["caption", "--quiet", &model, &picture]).fails_with(&["no language model"]);

    // With one, it matches, ranks and embeds; the products of embeddings are what `match` says.
    let dir = matcher();
    let model = text(dir.path());
    let tall = fixture("hub-opt/tall.png");
    let matched =
        toolkit(&["match", model, &picture, &tall, "--text", "w1 w2", "--text", "w3", "--json"])
            .json();
    let itm = matched[0]["texts"][0]["itm"].as_f64().unwrap();
    assert!(
        (0.0..=1.0).contains(&itm)
            && matched[0]["texts"][0]["ids"] == serde_json::json!([1, 5, 6, 2])
    );
    let out = dir.path().join("e.safetensors");
    let embed = [
        "embed",
        model,
        &picture,
        &tall,
        "--text",
        "w1 w2",
        "--text",
        "w3",
        "--features",
        "--out",
        text(&out),
        "--json",
    ];
    let made = toolkit(&embed).json();
    assert_eq!(made["tensors"]["image.embeds"], serde_json::json!([2, 8, 24]));
    let (tensors, metadata) = read_safetensors(&std::fs::read(&out).unwrap()).unwrap();
    assert!(metadata["texts"].contains("w1 w2"));
    let (images, texts) = (&tensors["image.embeds"].data, &tensors["text.embeds"].data);
    let cosine = |query: usize| (0..24).map(|i| images[query * 24 + i] * texts[i]).sum::<f32>();
    let best = (0..8).map(cosine).fold(f32::NEG_INFINITY, f32::max);
    assert!((f64::from(best) - matched[0]["texts"][0]["itc"].as_f64().unwrap()).abs() < 1e-5);
    let ranks = toolkit(&["retrieve", model, &picture, &tall, "--text", "w3", "--json"]).json();
    assert_eq!(ranks[0]["ranks"].as_array().unwrap().len(), 2);
}

/// A run with an encoder of EVA's form, whose weights are drawn here.
#[test]
fn a_run_becomes_a_hub_folder() {
    use toolkit_core::{VisionEncoder, params};
    use toolkit_models::vision::eva::{Eva, EvaConfig};
    let dir = folder();
    let cards = dir.path().join("cards");
    std::fs::create_dir_all(cards.join("vision")).unwrap();
    let config = EvaConfig {
        image_size: 64,
        patch_size: 16,
        hidden_size: 32,
        num_hidden_layers: 2,
        num_attention_heads: 2,
        intermediate_size: 64,
        layer_norm_eps: 1e-5,
        ..EvaConfig::default()
    };
    let encoder = Eva::build(&config, &burn::tensor::Device::flex());
    let encoder = params::initialise(encoder, 1, |_| params::Init::Normal(0.3));
    let file = cards.join("eva.safetensors");
    let sha256 =
        write_safetensors(&file, &params::export(&encoder), StoredDtype::F32, BTreeMap::new())
            .unwrap();
    let card = format!(
        "family = \"eva\"\n[config]\nimage_size = 64\npatch_size = 16\nhidden_size = \
        32\nnum_hidden_layers = 2\nnum_attention_heads = 2\nintermediate_size = 64\nlayer_norm_eps \
        = 1e-5\n[preprocess]\nsize = 64\nmean = [0.5, 0.5, 0.5]\nstd = [0.25, 0.25, \
        0.25]\n[weights]\nsource = \"file:eva.safetensors\"\nsha256 = \"{sha256}\"\n"
    );
    std::fs::write(cards.join("vision/eva-tiny.toml"), card).unwrap();
    let experiment = experiment(dir.path(), &TINY.replace("vit-nano", "eva-tiny"));
    let (cards, run) = (text(&cards), dir.path().join("run"));
    toolkit(&[
        "--registry",
        cards,
        "run",
        text(&experiment),
        "--out",
        text(&run),
        "--smoke",
        "--quiet",
    ])
    .ok();

    let picture = fixture("hub-opt/wide.png");
    let how = [
        "--beams",
        "2",
        "--max-new-tokens",
        "4",
        "--length-penalty",
        "1",
        "--early-stopping",
        "never",
        "--json",
    ];
    let before =
        toolkit(&[&["--registry", cards, "caption", text(&run), &picture][..], &how].concat())
            .json_lines();
    let hub = dir.path().join("hub");
    toolkit(&["--registry", cards, "convert", text(&run), text(&hub), "--to", "hf"]).ok();
    let after = toolkit(&[&["caption", text(&hub), &picture][..], &how].concat()).json_lines();
    assert_eq!(after[0]["ids"], before[0]["ids"]);
    // Features of a run are rounded as its cache rounds them.
    let score = |answer: &Value| answer[0]["score"].as_f64().unwrap();
    assert!((score(&after) - score(&before)).abs() < 1e-2);

    let stage1 = dir.path().join("itm");
    toolkit(&["--registry", cards, "convert", text(&run), text(&stage1), "--to", "hf", "--stage1"])
        .ok();
    let matched = |model: &[&str]| {
        toolkit(&[model, &[&picture, "--text", "a cat", "--json"]].concat()).json()
    };
    let itc = |answer: &Value| answer[0]["texts"][0]["itc"].as_f64().unwrap();
    let (ours, theirs) =
        (matched(&["--registry", cards, "match", text(&run)]), matched(&["match", text(&stage1)]));
    assert!((itc(&ours) - itc(&theirs)).abs() < 1e-3);

    // The nano tier's encoder has a form that transformers' BLIP-2 lacks.
    let nano = text(finished().0);
    let no = dir.path().join("no");
    toolkit(&["convert", "--quiet", nano, text(&no), "--to", "hf"])
        .fails_with(&["only EVA's form", "lavis"]);
    let pth = dir.path().join("nano/nano.pth");
    toolkit(&["convert", nano, text(&pth), "--to", "lavis", "--all"]).ok();
    let again = toolkit(&[&["caption", text(&pth), &picture, "--prompt", ""][..], &how].concat());
    again.fails_with(&["no tokenizer"]);
}

#[test]
fn a_model_in_blocks_says_nearly_the_same() {
    let (model, wide) = (fixture("hub-opt"), fixture("hub-opt/wide.png"));
    let said = |dtype: &str| {
        let all = toolkit(&[
            "caption",
            &model,
            &wide,
            "--max-new-tokens",
            "3",
            "--dtype",
            dtype,
            "--json",
        ])
        .json_lines();
        (all[0]["score"].as_f64().unwrap(), all[0]["ids"].as_array().unwrap().len())
    };
    let (exact, _) = said("f32");
    for (dtype, error) in [("q8", 0.05), ("q4", 0.3)] {
        let (near, written) = said(dtype);
        assert!(written > 0 && exact != near, "the matrices are not the same: {exact}, {near}");
        assert!((exact - near).abs() < error * exact.abs(), "{dtype}: {exact} and {near}");
    }
    assert_eq!(said("file").0, exact, "a file without blocks is kept in f32");
}
