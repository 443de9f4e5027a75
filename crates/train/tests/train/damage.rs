//! What a kill, a full disk or a mistake leaves behind.

use super::fit::{Pull, STEPS, config, straight, toy, train};
use super::weights;
use std::collections::BTreeMap;
use std::path::Path;
use toolkit_core::params::Values;
use toolkit_registry::{StoredDtype, write_safetensors};
use toolkit_train::checkpoint::{Checkpoint, write_atomic};
use toolkit_train::fit::fit;
use toolkit_train::{Silent, TrainError};

/// A folder of a run that was stopped after step 3.
fn stopped() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    train(dir.path(), 0, &mut Pull::default(), Some(3)).unwrap_err();
    dir
}

fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap());
    entries.map(|e| (e.file_name().into_string().unwrap(), std::fs::read(e.path()).unwrap())).collect()
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
fn a_checkpoint_of_another_model_is_refused() {
    let dir = stopped();
    let before = files(dir.path());
    let wider = fit(&config(0), toy(5), &mut Pull::default(), dir.path(), &Silent, &mut |_, _| Ok(()));
    let error = wider.err().unwrap().to_string();
    assert!(error.contains("step-0000003.safetensors") && error.contains("another model"), "{error}");
    assert!(error.contains("weight") && error.contains("[3, 4]") && error.contains("[3, 5]"), "{error}");
    assert!(files(dir.path()) == before);

    // Weights that fit, with state that does not.
    for (name, values) in [("first.other", vec![0.0]), ("first.bias", vec![0.0; 7])] {
        let dir = stopped();
        let mut saved = Checkpoint::load(dir.path()).unwrap().unwrap();
        let path = dir.path().join(&saved.optimizer);
        let mut state = toolkit_registry::read_safetensors(&std::fs::read(&path).unwrap()).unwrap().0;
        state.insert(name.to_owned(), Values { shape: vec![values.len()], data: values });
        saved.optimizer_sha256 = write_safetensors(&path, &state, StoredDtype::F32, BTreeMap::new()).unwrap();
        write_atomic(&dir.path().join("latest.json"), &serde_json::to_vec(&saved).unwrap()).unwrap();
        let error = train(dir.path(), 0, &mut Pull::default(), None).unwrap_err().to_string();
        assert!(error.contains(&saved.optimizer) && error.contains(name), "{error}");
    }
}

#[test]
fn what_a_kill_leaves_does_not_disturb() {
    let (lines, last) = straight();
    let dir = stopped();
    // A save of step 4 that did not get to its manifest, temporary files, and lines that are to be written again.
    for name in [
        ".tmpAbCdEf",
        ".step-0000004.safetensors.77-0.tmp",
        "step-0000004.safetensors",
        "step-0000004.optimizer.safetensors",
    ] {
        std::fs::write(dir.path().join(name), b"half").unwrap();
    }
    for (name, more) in
        [("metrics.jsonl", "{\"step\":3,\"rate\":7.0,\"grad_norm\":1.0}\n{\"step\":4,\"ra"), ("timing.jsonl", "{\"st")]
    {
        edit(&dir.path().join(name), |bytes| bytes.extend(more.bytes()));
    }
    let model = train(dir.path(), 0, &mut Pull::default(), None).unwrap();
    assert_eq!(weights(&model), last);
    let after = files(dir.path());
    assert!(after["metrics.jsonl"] == lines);
    let timing = String::from_utf8(after["timing.jsonl"].clone()).unwrap();
    assert_eq!(timing.lines().count() as u64, STEPS);
    assert!(timing.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    // The last line complete but for its end of line.
    let dir = stopped();
    edit(&dir.path().join("metrics.jsonl"), |bytes| assert_eq!(bytes.pop(), Some(b'\n')));
    train(dir.path(), 0, &mut Pull::default(), None).unwrap();
    assert!(files(dir.path())["metrics.jsonl"] == lines);
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
