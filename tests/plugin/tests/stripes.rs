//! The proof that data sets are open: a format that the toolkit has never heard of is listed,
//! looked at, checked, planned and evaluated by the binary that registers it.

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

/// Writes an overlay registry with a card of the format, and one with a misspelt kind.
fn overlay(dir: &Path) {
    std::fs::create_dir_all(dir.join("datasets")).unwrap();
    let card = "kind = \"stripes\"\nabout = \"mine\"\n[config]\npictures = 6\n";
    std::fs::write(dir.join("datasets/my-stripes.toml"), card).unwrap();
    std::fs::write(dir.join("datasets/odd.toml"), card.replace("stripes", "stripe")).unwrap();
}

fn my_vit(cards: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_my-vit"));
    command.arg("--registry").arg(cards).args(args).output().unwrap()
}

/// Returns what a command printed as JSON.
fn json(cards: &Path, args: &[&str]) -> Value {
    let output = my_vit(cards, &[args, &["--json"]].concat());
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn commands_know_the_format() {
    let dir = tempfile::tempdir().unwrap();
    let cards = dir.path().join("registry");
    overlay(&cards);
    let listed = json(&cards, &["list", "datasets"]);
    let mine = listed.as_array().unwrap().iter().find(|card| card["name"] == "my-stripes");
    assert_eq!(mine.unwrap()["family"], "stripes");
    let inspected = json(&cards, &["inspect", "my-stripes"]);
    assert_eq!(inspected["shape"]["images"], serde_json::json!({"train": 6, "test": 6}));
    let checked = json(&cards, &["data", "check", "my-stripes"]);
    assert_eq!(checked.as_array().unwrap().len(), 2);
    assert_eq!(
        (&checked[0]["data"], &checked[0]["items"]),
        (&"my-stripes:train".into(), &6.into())
    );
    let sheet = dir.path().join("sheet.png");
    let seen =
        json(&cards, &["data", "preview", "my-stripes:test", "--out", sheet.to_str().unwrap()]);
    assert_eq!(seen["samples"][0]["captions"][0], "a red stripe");
    assert!(sheet.is_file());
}

#[test]
fn a_model_is_evaluated_on_it() {
    let dir = tempfile::tempdir().unwrap();
    let cards = dir.path().join("registry");
    overlay(&cards);
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/hub-opt");
    let args = ["eval", model, "--tasks", "scenes-vqa", "--data", "my-stripes:test"];
    let measured = json(&cards, &args);
    let hashed = "stripes version 1: my-stripes:test, 6 pictures";
    assert_eq!(measured[0]["result"]["hashes"]["data"], hashed, "{measured}");
}

#[test]
fn an_experiment_plans_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let cards = dir.path().join("registry");
    overlay(&cards);
    let experiment = concat!(env!("CARGO_MANIFEST_DIR"), "/../../experiments/ablate_stage1.toml");
    let data =
        ["data.train=my-stripes:train", "data.val=my-stripes:test", "data.test=my-stripes:test"];
    let set = data.iter().flat_map(|set| ["--set", *set]);
    let args: Vec<&str> = ["plan", experiment, "--smoke"].into_iter().chain(set).collect();
    let output = my_vit(&cards, &args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn an_unknown_format_is_an_error_that_names_those_that_are_registered() {
    let dir = tempfile::tempdir().unwrap();
    let cards = dir.path().join("registry");
    overlay(&cards);
    let output = my_vit(&cards, &["data", "preview", "odd:train"]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    for part in ["`stripe`", "datasets/odd.toml:1:8", "did you mean `stripes`?", "`published`"] {
        assert!(error.contains(part), "{error}");
    }
}
