//! Files that a kill, a full disk or a mistake leaves behind.

use super::fit::{Pull, STEPS, config, straight, toy, train};
use super::weights;
use std::collections::BTreeMap;
use std::path::Path;
use toolkit_core::params::Values;
use toolkit_models::weights::{StoredDtype, write_safetensors};
use toolkit_system::files::write_bytes;
use toolkit_train::TrainError;
use toolkit_train::checkpoint::Checkpoint;
use toolkit_train::fit::fit;

/// A folder of a run that was stopped after step 3.
fn stopped() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    train(dir.path(), 0, &mut Pull::default(), Some(3)).unwrap_err();
    dir
}

fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap());
    entries
        .map(|e| (e.file_name().into_string().unwrap(), std::fs::read(e.path()).unwrap()))
        .collect()
}

fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(path).unwrap();
    change(&mut bytes);
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_damaged_checkpoint_is_one_error_and_no_change() {
    let model = "step-0000003.safetensors";
    let state = "step-0000003.optimizer.safetensors";
    let manifest = "latest.json";
    let last = |bytes: &mut Vec<u8>| *bytes.last_mut().unwrap() ^= 1;
    let cut = |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() / 2);
    type Damage<'a> = (&'a str, &'a dyn Fn(&Path));
    let all: [Damage; 7] = [
        (model, &|path| edit(path, last)),
        (model, &|path| edit(path, cut)),
        (model, &|path| std::fs::remove_file(path).unwrap()),
        (state, &|path| edit(path, last)),
        (state, &|path| edit(path, Vec::clear)),
        (manifest, &|path| edit(path, cut)),
        (manifest, &|path| std::fs::write(path, "{}").unwrap()),
    ];
    for (i, (name, damage)) in all.into_iter().enumerate() {
        let dir = stopped();
        damage(&dir.path().join(name));
        let before = files(dir.path());
        let error = train(dir.path(), 0, &mut Pull::default(), None).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("hint:"), "damage {i}: {error}");
        assert!(!error.contains('\n'), "damage {i}: {error}");
        assert!(files(dir.path()) == before, "damage {i} was touched");
    }
}

#[test]
fn after_the_last_step_the_optimizers_file_is_not_needed() {
    let dir = tempfile::tempdir().unwrap();
    train(dir.path(), 0, &mut Pull::default(), None).unwrap();
    let saved = Checkpoint::load(dir.path()).unwrap().unwrap();
    let before = weights(&train(dir.path(), 0, &mut Pull::default(), None).unwrap());
    edit(&dir.path().join(&saved.optimizer), Vec::clear);
    assert_eq!(weights(&train(dir.path(), 0, &mut Pull::default(), None).unwrap()), before);
    std::fs::remove_file(dir.path().join(&saved.optimizer)).unwrap();
    assert_eq!(weights(&train(dir.path(), 0, &mut Pull::default(), None).unwrap()), before);
    // The weights are.
    edit(&dir.path().join(&saved.model), |bytes| *bytes.last_mut().unwrap() ^= 1);
    assert!(
        train(dir.path(), 0, &mut Pull::default(), None)
            .unwrap_err()
            .to_string()
            .contains(&saved.model)
    );
}

#[test]
fn a_checkpoint_of_another_model_is_refused() {
    let dir = stopped();
    let before = files(dir.path());
    let wider = fit(&config(0), toy(5), &mut Pull::default(), dir.path(), &mut []);
    let error = wider.err().unwrap().to_string();
    assert!(
        error.contains("step-0000003.safetensors") && error.contains("another model"),
        "{error}"
    );
    assert!(
        error.contains("weight") && error.contains("[3, 4]") && error.contains("[3, 5]"),
        "{error}"
    );
    assert!(files(dir.path()) == before);

    // Weights that fit, with state that does not.
    for (name, values) in [("first.other", vec![0.0]), ("first.bias", vec![0.0; 7])] {
        let dir = stopped();
        let mut saved = Checkpoint::load(dir.path()).unwrap().unwrap();
        let path = dir.path().join(&saved.optimizer);
        let mut state =
            toolkit_models::weights::read_safetensors(&std::fs::read(&path).unwrap()).unwrap().0;
        state.insert(name.to_owned(), Values { shape: vec![values.len()], data: values });
        saved.optimizer_sha256 =
            write_safetensors(&path, &state, StoredDtype::F32, BTreeMap::new()).unwrap();
        write_bytes(&dir.path().join("latest.json"), &serde_json::to_vec(&saved).unwrap()).unwrap();
        let error = train(dir.path(), 0, &mut Pull::default(), None).unwrap_err().to_string();
        assert!(error.contains(&saved.optimizer) && error.contains(name), "{error}");
    }
}

#[test]
fn what_a_kill_leaves_does_not_disturb() {
    let (lines, last) = straight();
    let dir = stopped();
    // A save of step 4 that did not get to its manifest, temporary files, and lines that are to be
    // written again.
    for name in [
        ".tmpAbCdEf",
        ".step-0000004.safetensors.77-0.tmp",
        "step-0000004.safetensors",
        "step-0000004.optimizer.safetensors",
    ] {
        std::fs::write(dir.path().join(name), b"half").unwrap();
    }
    for (name, more) in [
        ("metrics.jsonl", "{\"step\":3,\"rate\":7.0,\"grad_norm\":1.0}\n{\"step\":4,\"ra"),
        ("timing.jsonl", "{\"st"),
    ] {
        edit(&dir.path().join(name), |bytes| bytes.extend(more.bytes()));
    }
    let model = train(dir.path(), 0, &mut Pull::default(), None).unwrap();
    assert_eq!(weights(&model), last);
    let after = files(dir.path());
    assert!(after["metrics.jsonl"] == lines);
    let timing = String::from_utf8(after["timing.jsonl"].clone()).unwrap();
    assert_eq!(timing.lines().count() as u64, STEPS);
    assert!(timing.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
}

#[test]
fn a_log_without_the_steps_of_its_checkpoint_is_an_error() {
    let line = |text: &mut String, step: usize| {
        let lines: Vec<String> = text.lines().map(|line| format!("{line}\n")).collect();
        *text = [&lines[..step], &lines[step + 1..]].concat().concat();
    };
    type Damage<'a> = (&'a dyn Fn(&mut String), &'a str);
    let all: [Damage; 6] = [
        (&|text| line(text, 1), "step 1 is missing (1 of the 3"),
        (&|text| text.clear(), "steps 0 to 2 are missing"),
        (&|text| text.truncate(text.len() - 20), "step 2 is missing"),
        (&|text| *text = text.replacen("\"step\":1", "\"step\":9", 1), "step 1 is missing"),
        (&|text| *text = text.replacen("\"loss\":", "\"loss\":1", 1), "SHA-256"),
        (&|text| *text = text.replacen("\"loss\"", "\"l@ss\"", 1), "SHA-256"),
    ];
    for (i, (damage, wanted)) in all.into_iter().enumerate() {
        let dir = stopped();
        edit(&dir.path().join("metrics.jsonl"), |bytes| {
            let mut text = String::from_utf8(std::mem::take(bytes)).unwrap();
            damage(&mut text);
            *bytes = text.into_bytes();
        });
        let before = files(dir.path());
        let error = train(dir.path(), 0, &mut Pull::default(), None).unwrap_err().to_string();
        assert!(error.contains("metrics.jsonl") && error.contains(wanted), "damage {i}: {error}");
        assert!(error.contains("hint:") && !error.contains('\n'), "damage {i}: {error}");
        assert!(files(dir.path()) == before, "damage {i} was touched");
    }
}

#[test]
fn a_manifest_that_says_other_than_its_files_is_an_error() {
    for (key, change) in [("step", 1), ("updates", 7)] {
        let dir = stopped();
        let path = dir.path().join("latest.json");
        let mut json: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        json[key] = (json[key].as_u64().unwrap() + change).into();
        std::fs::write(&path, json.to_string()).unwrap();
        let error = train(dir.path(), 0, &mut Pull::default(), None).unwrap_err().to_string();
        assert!(error.contains("latest.json") && error.contains(&format!("`{key}`")), "{error}");
    }
}

#[test]
fn a_checkpoint_of_an_older_version_is_gone_on_with() {
    let (lines, last) = straight();
    let dir = stopped();
    let path = dir.path().join("latest.json");
    let mut json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    json.as_object_mut().unwrap().remove("log").unwrap();
    std::fs::write(&path, json.to_string()).unwrap();
    // It may have left the last line complete but for its end.
    edit(&dir.path().join("metrics.jsonl"), |bytes| assert_eq!(bytes.pop(), Some(b'\n')));
    assert_eq!(weights(&train(dir.path(), 0, &mut Pull::default(), None).unwrap()), last);
    assert!(files(dir.path())["metrics.jsonl"] == lines);
    // Lines that are missing are found all the same.
    let dir = stopped();
    std::fs::write(dir.path().join("latest.json"), json.to_string()).unwrap();
    edit(&dir.path().join("metrics.jsonl"), Vec::clear);
    let error = train(dir.path(), 0, &mut Pull::default(), None).unwrap_err().to_string();
    assert!(error.contains("steps 0 to 2 are missing"), "{error}");
}

#[test]
fn a_loss_that_is_no_number_stops_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let error = train(dir.path(), 0, &mut Pull { bad: Some(3), broken: None }, None).unwrap_err();
    let TrainError::NonFinite { step, samples, what } = &error else { panic!("{error}") };
    assert_eq!((*step, samples.as_slice(), what.as_str()), (3, [6, 7].as_slice(), "loss = NaN"));
    let text = error.to_string();
    assert!(text.contains("step 3") && text.contains("[6, 7]") && text.contains("hint:"), "{text}");
    assert_eq!(Checkpoint::load(dir.path()).unwrap().unwrap().step, 3, "three good steps are kept");
    let lines = String::from_utf8(files(dir.path())["metrics.jsonl"].clone()).unwrap();
    assert_eq!(lines.lines().count(), 3);
    // What was kept is sound.
    let (whole, last) = straight();
    assert_eq!(weights(&train(dir.path(), 0, &mut Pull::default(), None).unwrap()), last);
    assert!(files(dir.path())["metrics.jsonl"] == whole);
}

#[test]
fn no_checkpoint_before_the_first_save() {
    let dir = tempfile::tempdir().unwrap();
    train(dir.path(), 1000, &mut Pull { bad: Some(3), broken: None }, None).unwrap_err();
    assert!(Checkpoint::load(dir.path()).unwrap().is_none());
    assert!(files(dir.path()).keys().all(|name| !name.contains("safetensors")));
}
