//! Why two runs differ, and the same run twice.

use super::support::{copy_of_finished, files, finished, folder, text, toolkit};
use serde_json::Value;
use std::path::Path;

/// Replaces `old` by `new` once in a file of the run, or in the first of a cell that ends with
/// `name`.
fn spoil(run: &Path, name: &str, old: &str, new: &str) {
    let all = files(run);
    let file = all
        .iter()
        .find(|path| *path == Path::new(name))
        .or(all.iter().find(|path| path.ends_with(name)))
        .unwrap();
    let held = std::fs::read_to_string(run.join(file)).unwrap();
    assert!(held.contains(old), "no `{old}` in {}", file.display());
    std::fs::write(run.join(file), held.replacen(old, new, 1)).unwrap();
}

#[test]
fn a_run_is_reproduced_to_the_last_bit() {
    let (run, out) = (finished().0, folder());
    let again = out.path().join("again");
    let said =
        toolkit(&["reproduce", text(run), "--out", text(&again), "--jobs", "2", "--json"]).json();
    assert_eq!(said["same_results"], true);
    let steps: u64 = said["diff"]["training"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["shared"].as_u64().unwrap())
        .sum();
    // Stage 1 of one cell, stage 2 of two, 60 steps each.
    assert_eq!(steps, 180);
    let samples = said["diff"]["samples"].as_array().unwrap();
    assert!(!samples.is_empty() && samples.iter().all(|file| file["shared"].as_u64().unwrap() > 0));

    // Damage of the repetition is mended before anything is compared.
    spoil(&again, "samples.jsonl", "\"raw\":\"", "\"raw\":\"oh ");
    toolkit(&["reproduce", text(run), "--out", text(&again)]).ok();
}

/// Removes the lists of files, as in a run of a version that wrote none.
fn unlist(run: &Path) {
    for list in files(run).iter().filter(|path| path.ends_with("done.json")) {
        std::fs::remove_file(run.join(list)).unwrap();
    }
}

#[test]
fn a_repetition_that_comes_out_otherwise_ends_with_1() {
    let (run, out) = (copy_of_finished(), folder());
    unlist(run.path());
    spoil(run.path(), "samples.jsonl", "\"raw\":\"", "\"raw\":\"oh ");
    let again = out.path().join("again");
    let said = toolkit(&["reproduce", text(run.path()), "--out", text(&again), "--jobs", "2"]);
    assert_eq!(said.code, Some(1), "{}", said.stderr);
    let last = said.stderr.lines().last().unwrap();
    assert!(
        last.contains("came out otherwise")
            && last.contains("toolkit diff")
            && last.contains("hint: "),
        "{last}"
    );
    assert!(said.stderr.contains("no done.json"), "{}", said.stderr);
    assert!(said.stdout.contains("The results differ"), "{}", said.stdout);
}

#[test]
fn a_run_that_is_not_finished_or_damaged_is_not_repeated() {
    let out = folder();
    let again = out.path().join("again");
    let refused = |run: &Path, parts: &[&str]| {
        toolkit(&["reproduce", text(run), "--out", text(&again)]).fails_with(parts);
        assert!(!again.exists(), "it began");
    };
    let run = copy_of_finished();
    std::fs::remove_file(run.path().join("results.json")).unwrap();
    refused(run.path(), &["not finished", "no results"]);
    let run = copy_of_finished();
    let cell = files(run.path())
        .into_iter()
        .find(|path| path.ends_with("scores.json") && path.starts_with("cells"));
    std::fs::remove_file(run.path().join(cell.unwrap())).unwrap();
    refused(run.path(), &["not finished", "no scores"]);
    let run = copy_of_finished();
    spoil(run.path(), "stage2/metrics.jsonl", "\"loss\":", "\"loss\":1");
    refused(run.path(), &["stage2/metrics.jsonl", "SHA-256", "remove ", "trains it again"]);
    let run = copy_of_finished();
    spoil(run.path(), "samples.jsonl", "\"raw\":\"", "\"raw\":\"oh ");
    refused(
        run.path(),
        &["samples.jsonl", "SHA-256", "the same `toolkit run` command writes it again"],
    );
    let run = copy_of_finished();
    std::fs::remove_file(run.path().join("manifest.json")).unwrap();
    refused(
        run.path(),
        &["manifest.json: it is gone", "remove ", "done.json: the same `toolkit run` command"],
    );
    toolkit(&["diff", text(finished().0), text(run.path())])
        .fails_with(&["manifest.json: it is gone", "done.json: the"]);
}

#[test]
fn damage_that_no_result_depends_on_is_a_note() {
    let run = copy_of_finished();
    let all = files(run.path());
    for end in ["seconds.json", "timing.jsonl", "optimizer.safetensors", "cost.json"] {
        let file = all.iter().find(|path| path.to_str().unwrap().ends_with(end)).unwrap();
        std::fs::write(run.path().join(file), "damaged").unwrap();
    }
    let said = toolkit(&["diff", text(finished().0), text(run.path()), "--json"]).json();
    let count = |key: &str| said["diff"][key].as_array().unwrap().len();
    assert_eq!((&said["same_results"], count("needless"), count("damaged")), (&true.into(), 4, 0));
    let said = toolkit(&["diff", text(finished().0), text(run.path())]).ok().stdout;
    for part in [
        "Damaged, but no result depends on it",
        "seconds.json",
        "optimizer",
        "The results are the same",
    ] {
        assert!(said.contains(part), "no `{part}` in {said}");
    }
}

#[test]
fn missing_steps_other_weights_and_damage_are_differences() {
    let run = finished().0;
    let cut = |other: &Path| {
        let log =
            files(other).into_iter().find(|path| path.ends_with("stage2/metrics.jsonl")).unwrap();
        let held = std::fs::read_to_string(other.join(&log)).unwrap();
        let kept: String = held
            .lines()
            .enumerate()
            .filter(|(at, _)| !(2..20).contains(at))
            .map(|(_, l)| format!("{l}\n"))
            .collect();
        std::fs::write(other.join(log), kept).unwrap();
    };
    let differ = |other: &Path| {
        let said = toolkit(&["diff", text(run), text(other), "--json"]);
        assert_eq!(said.code, Some(1), "{}", said.stderr);
        let said: Value = serde_json::from_str(&said.stdout).unwrap();
        assert_eq!(said["same_results"], false);
        said["diff"].clone()
    };
    // Lines 3 to 20 of a log, with the list that knows of it and without.
    let other = copy_of_finished();
    cut(other.path());
    let diff = differ(other.path());
    assert!(diff["damaged"][0]["file"].as_str().unwrap().ends_with("stage2/metrics.jsonl"));
    unlist(other.path());
    let diff = differ(other.path());
    assert_eq!(diff["damaged"], serde_json::json!([]));
    assert_eq!(diff["unlisted"].as_array().unwrap().len(), 1);
    let alone: Vec<u64> =
        diff["training"].as_array().unwrap().iter().map(|p| p["alone"].as_u64().unwrap()).collect();
    assert_eq!((alone.iter().sum::<u64>(), alone.iter().max()), (18, Some(&18)));
    let shown = toolkit(&["diff", text(run), text(other.path())]);
    assert_eq!(shown.code, Some(1));
    assert!(
        shown.stdout.contains("steps in one only") && shown.stdout.contains("The results differ"),
        "{}",
        shown.stdout
    );

    // Other weights with the same log.
    let other = copy_of_finished();
    unlist(other.path());
    spoil(other.path(), "stage2/latest.json", "\"model_sha256\": \"", "\"model_sha256\": \"0");
    let diff = differ(other.path());
    let apart =
        diff["training"].as_array().unwrap().iter().filter(|p| !p["weights"].is_null()).count();
    assert_eq!(apart, 1);

    // A bit of the weights themselves.
    let other = copy_of_finished();
    flip(other.path(), "0060.safetensors");
    assert!(
        differ(other.path())["damaged"][0]["file"].as_str().unwrap().ends_with("0060.safetensors")
    );
}

/// Flips a bit in the middle of the first file whose name ends so.
fn flip(run: &Path, end: &str) {
    let file = files(run).into_iter().find(|path| path.to_str().unwrap().ends_with(end)).unwrap();
    let mut bytes = std::fs::read(run.join(&file)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    std::fs::write(run.join(file), bytes).unwrap();
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
    let said = toolkit(&["diff", text(run), text(other), "--json"]);
    assert_eq!(said.code, Some(1), "{}", said.stderr);
    let said: Value = serde_json::from_str(&said.stdout).unwrap();
    let (diff, at) = (&said["diff"], |list: &Value| list[0]["at"].as_str().unwrap().to_owned());
    assert_eq!(said["same_results"], false);
    assert_eq!(
        (at(&diff["made_of"]), &diff["made_of"][0]["b"]),
        ("device".to_owned(), &"cuda".into())
    );
    assert!(at(&diff["experiment"]).ends_with("batch"));
    assert!(at(&diff["scores"]).ends_with("caption.cider"));
    let parted: Vec<&Value> =
        diff["training"].as_array().unwrap().iter().filter(|p| !p["step"].is_null()).collect();
    assert_eq!(
        (parted.len(), &parted[0]["step"], &parted[0]["most"][0]),
        (1, &7.into(), &"rate".into())
    );
    let texts: u64 = diff["samples"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["texts"].as_u64().unwrap())
        .sum();
    assert_eq!(texts, 1);
    // The five files that were changed, of the run and of the first cell.
    assert_eq!(diff["damaged"].as_array().unwrap().len(), 5);
    let shown = toolkit(&["diff", text(run), text(other)]).stdout;
    for part in ["Made of", "cuda", "Damaged", "Training parts", "Samples", "The results differ"] {
        assert!(shown.contains(part), "no `{part}` in {shown}");
    }

    let none = folder();
    toolkit(&["diff", text(run), text(none.path())]).fails_with(&["not the folder of a run"]);
}

#[test]
fn a_run_of_things_that_changed_is_not_repeated() {
    let (run, dir) = (finished().0, folder());
    std::fs::create_dir_all(dir.path().join("datasets")).unwrap();
    let card = "kind = \"scenes\"\n[config]\ntrain = 64\nval = 9\ntest = 8\ntest_combinations = \
        4\ntest_new = 4\n";
    std::fs::write(dir.path().join("datasets/tiny.toml"), card).unwrap();
    let again = dir.path().join("again");
    let call = ["--registry", text(dir.path()), "reproduce", text(run), "--out", text(&again)];
    toolkit(&call).fails_with(&["`data.", "not what is here", "--registry"]);
    assert!(!again.exists());
}
