//! Why two runs differ, and the same run twice.

use super::support::{copy_of_finished, files, finished, folder, text, toolkit};
use serde_json::Value;
use std::path::Path;

/// Replaces `old` by `new` once in a file of the run, or in the first of a cell that ends with `name`.
fn spoil(run: &Path, name: &str, old: &str, new: &str) {
    let all = files(run);
    let file =
        all.iter().find(|path| *path == Path::new(name)).or(all.iter().find(|path| path.ends_with(name))).unwrap();
    let held = std::fs::read_to_string(run.join(file)).unwrap();
    assert!(held.contains(old), "no `{old}` in {}", file.display());
    std::fs::write(run.join(file), held.replacen(old, new, 1)).unwrap();
}

#[test]
fn a_run_is_reproduced_to_the_last_bit() {
    let (run, out) = (finished().0, folder());
    let again = out.path().join("again");
    let said = toolkit(&["reproduce", text(run), "--out", text(&again), "--jobs", "2", "--json"]).json();
    assert_eq!(said["same_results"], true);
    let steps: u64 = said["diff"]["training"].as_array().unwrap().iter().map(|p| p["shared"].as_u64().unwrap()).sum();
    // Stage 1 of one cell, stage 2 of two, 60 steps each.
    assert_eq!(steps, 180);
    let samples = said["diff"]["samples"].as_array().unwrap();
    assert!(!samples.is_empty() && samples.iter().all(|file| file["shared"].as_u64().unwrap() > 0));

    // A repetition that comes out otherwise is an error.
    spoil(&again, "samples.jsonl", "\"raw\":\"", "\"raw\":\"oh ");
    toolkit(&["reproduce", text(run), "--out", text(&again)]).fails_last_with(&["came out otherwise", "toolkit diff"]);
}

#[test]
fn what_differs_is_named() {
    let run = finished().0;
    let same = toolkit(&["diff", text(run), text(run)]).ok().stdout;
    assert!(same.contains("The results are the same: 180 logged steps"), "{same}");

    let other = copy_of_finished();
    let other = other.path();
    spoil(other, "stage2/metrics.jsonl", "{\"step\":7,\"rate\":", "{\"step\":7,\"rate\":1");
    spoil(other, "samples.jsonl", "\"raw\":\"", "\"raw\":\"oh ");
    spoil(other, "spec.toml", "batch = 8", "batch = 9");
    spoil(other, "manifest.json", "\"device\": \"flex\"", "\"device\": \"cuda\"");
    spoil(other, "results.json", "\"caption.cider\": ", "\"caption.cider\": 1");
    let said = toolkit(&["diff", text(run), text(other), "--json"]).json();
    let (diff, at) = (&said["diff"], |list: &Value| list[0]["at"].as_str().unwrap().to_owned());
    assert_eq!(said["same_results"], false);
    assert_eq!((at(&diff["made_of"]), &diff["made_of"][0]["b"]), ("device".to_owned(), &"cuda".into()));
    assert!(at(&diff["experiment"]).ends_with("batch"));
    assert!(at(&diff["scores"]).ends_with("caption.cider"));
    let parted: Vec<&Value> = diff["training"].as_array().unwrap().iter().filter(|p| !p["step"].is_null()).collect();
    assert_eq!((parted.len(), &parted[0]["step"], &parted[0]["most"][0]), (1, &7.into(), &"rate".into()));
    let texts: u64 = diff["samples"].as_array().unwrap().iter().map(|file| file["texts"].as_u64().unwrap()).sum();
    assert_eq!(texts, 1);
    let shown = toolkit(&["diff", text(run), text(other)]).ok().stdout;
    for part in ["Made of", "cuda", "Training parts", "Samples", "The results differ"] {
        assert!(shown.contains(part), "no `{part}` in {shown}");
    }

    let none = folder();
    toolkit(&["diff", text(run), text(none.path())]).fails_with(&["not the folder of a run"]);
}

#[test]
fn a_run_of_things_that_changed_is_not_repeated() {
    let (run, dir) = (finished().0, folder());
    std::fs::create_dir_all(dir.path().join("datasets")).unwrap();
    let card = "kind = \"scenes\"\n[config]\ntrain = 64\nval = 9\ntest = 8\ntest_combinations = 4\ntest_new = 4\n";
    std::fs::write(dir.path().join("datasets/tiny.toml"), card).unwrap();
    let again = dir.path().join("again");
    let call = ["--registry", text(dir.path()), "reproduce", text(run), "--out", text(&again)];
    toolkit(&call).fails_with(&["`data.", "not what is here", "--registry"]);
    assert!(!again.exists());
}
