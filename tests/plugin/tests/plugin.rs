//! The proof that the traits are open: an encoder the toolkit has never heard of is checked,
//! listed, trained with and evaluated by a binary of three lines.

use burn::tensor::Device;
use my_vit::{PatchConfig, PatchEncoder};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};
use toolkit_core::{AnyVision, VisionEncoder, conform, params};
use toolkit_models::weights::{StoredDtype, write_safetensors};

const CONFIG: PatchConfig = PatchConfig { image: 64, patch: 16, width: 24 };

#[test]
fn conforms() {
    conform::vision::<PatchEncoder>(&PatchConfig { image: 8, patch: 4, width: 6 });
}

/// An overlay registry with a card and weights for the encoder.
fn overlay(dir: &Path) {
    std::fs::create_dir_all(dir.join("vision")).unwrap();
    std::fs::create_dir_all(dir.join("weights")).unwrap();
    let encoder = AnyVision::new(PatchEncoder::build(&CONFIG, &Device::flex()));
    let encoder = params::initialise(encoder, 1, |_| params::Init::Normal(0.1));
    let path = dir.join("weights/patch.safetensors");
    let sha256 =
        write_safetensors(&path, &params::export(&encoder), StoredDtype::F32, BTreeMap::new())
            .unwrap();
    let card = format!(
        "family = \"patch\"\nabout = \"mine\"\n[config]\nimage = 64\npatch = 16\nwidth = 24\n\
         [weights]\nsource = \"file:weights/patch.safetensors\"\nsha256 = \"{sha256}\"\n\
         [preprocess]\nsize = 64\nmean = [0.5, 0.5, 0.5]\nstd = [0.5, 0.5, 0.5]\n"
    );
    std::fs::write(dir.join("vision/my-patches.toml"), card).unwrap();
    std::fs::create_dir_all(dir.join("tasks")).unwrap();
    let card = "kind = \"names-word\"\nversion = 1\nabout = \"mine\"\n\
        [config]\ndata = \"scenes\"\nsplit = \"val\"\nlimit = 6\nwords = [\"a\", \"the\"]\n";
    std::fs::write(dir.join("tasks/my-words.toml"), card).unwrap();
}

fn my_vit(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_my-vit")).args(args).output().unwrap()
}

#[test]
fn every_command_knows_it() {
    let dir = tempfile::tempdir().unwrap();
    let cards = dir.path().join("registry");
    overlay(&cards);
    let cards = cards.to_str().unwrap();
    let listed = my_vit(&["--registry", cards, "list", "vision"]);
    let text = String::from_utf8(listed.stdout).unwrap();
    assert!(text.contains("my-patches") && text.contains("vit-nano"), "{text}");
    let inspected = my_vit(&["--registry", cards, "inspect", "my-patches"]);
    assert!(inspected.status.success(), "{}", String::from_utf8_lossy(&inspected.stderr));

    let experiment = concat!(env!("CARGO_MANIFEST_DIR"), "/../../experiments/ablate_stage1.toml");
    let out = dir.path().join("run");
    let run = my_vit(&[
        "--registry",
        cards,
        "run",
        experiment,
        "--smoke",
        "--set",
        "model.vision=my-patches",
        "--set",
        "stage1.losses.align=0.5",
        "--out",
        out.to_str().unwrap(),
    ]);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let report = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(report.contains("my-patches"), "the report names the encoder");
    assert!(report.contains("distance of image and caption"), "the report draws the loss");
    let stages = std::fs::read_dir(out.join("stage1")).unwrap();
    let logs = stages.map(|stage| stage.unwrap().path().join("metrics.jsonl"));
    let logs: Vec<String> = logs.map(|log| std::fs::read_to_string(log).unwrap()).collect();
    assert!(logs.iter().all(|log| log.contains("\"loss_align\":")) && !logs.is_empty());
    let wrong = my_vit(&["run", experiment, "--plan", "--set", "stage1.losses.algin=1"]);
    let error = String::from_utf8(wrong.stderr).unwrap();
    assert!(error.contains("algin") && error.contains("did you mean `align`"), "{error}");

    // The model is measured by a kind of task that the toolkit has never heard of.
    let out = out.to_str().unwrap();
    let call = ["--registry", cards, "eval", out, "--tasks", "my-words", "--json", "--quiet"];
    let measured = my_vit(&call);
    assert!(measured.status.success(), "{}", String::from_utf8_lossy(&measured.stderr));
    let measured: serde_json::Value = serde_json::from_slice(&measured.stdout).unwrap();
    let result = &measured[0]["result"];
    assert_eq!((&result["kind"], &result["samples"]), (&"names-word".into(), &6.into()));
    let (score, interval) = (&result["scores"]["named"], &result["intervals"]["named"]);
    assert!(score.is_f64() && interval["mean"] == *score, "{result}");
}
