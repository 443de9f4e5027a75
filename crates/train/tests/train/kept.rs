//! Checkpoints that stay: the last n, and the best.

use super::fit::{Pull, STEPS, Toy, config, straight, toy};
use super::weights;
use std::path::Path;
use toolkit_system::problem::Problem;
use toolkit_train::TrainError;
use toolkit_train::checkpoint::{Best, Checkpoint, CheckpointChoice};
use toolkit_train::fit::{FitConfig, Saves, fit};

/// Trains with a checkpoint after every step, of which the last `keep` stay.
fn train(dir: &Path, keep: usize, stop: Option<u64>) -> Result<Toy, TrainError> {
    let config = FitConfig { saves: Saves { seconds: Some(0), keep }, ..config(0) };
    let mut stopper = |step: u64, _: &Toy| {
        if stop == Some(step) { Err(Problem::new("stopped").into()) } else { Ok(()) }
    };
    fit(&config, toy(4), &mut Pull::default(), dir, &mut [&mut stopper])
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Names of a folder with these steps.
fn expected(steps: &[u64]) -> Vec<String> {
    let mut names = ["latest.json", "metrics.jsonl", "timing.jsonl"].map(str::to_owned).to_vec();
    for step in steps {
        for end in ["json", "safetensors", "optimizer.safetensors"] {
            names.push(format!("step-{step:07}.{end}"));
        }
    }
    names.sort();
    names
}

#[test]
fn the_last_three_stay_and_each_can_be_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let last = weights(&train(dir.path(), 3, None).unwrap());
    assert_eq!(names(dir.path()), expected(&[4, 5, 6]));
    let load = |choice: &str| {
        let choice: CheckpointChoice = choice.parse().unwrap();
        choice.weights(dir.path()).map(|found| found.map(|saved| (saved.step, saved.tensors)))
    };
    assert_eq!(load("latest").unwrap().unwrap(), (STEPS, last.clone()));
    assert_eq!(load("6").unwrap().unwrap(), (STEPS, last.clone()));
    let (step, fifth) = load("5").unwrap().unwrap();
    assert!(step == 5 && fifth != last);
    for missing in ["3", "7", "best"] {
        let error = load(missing).unwrap_err().to_string();
        assert!(error.contains(missing) && error.contains("hint: "), "{error}");
    }
    assert!("last".parse::<CheckpointChoice>().is_err());
    // With fewer to keep, the next training in the folder leaves the last ones.
    train(dir.path(), 2, None).unwrap();
    assert_eq!(names(dir.path()), expected(&[5, 6]));
}

#[test]
fn a_stopped_training_keeps_whole_checkpoints_and_ends_with_the_same() {
    let (_, last) = straight();
    for stop in 1..=STEPS {
        let dir = tempfile::tempdir().unwrap();
        train(dir.path(), 2, Some(stop)).unwrap_err();
        // A kill leaves the files of a step whose manifest is not written, and a manifest whose
        // step is not yet the last.
        std::fs::write(dir.path().join("step-0000099.safetensors"), "half").unwrap();
        std::fs::write(dir.path().join("step-0000098.json"), "{").unwrap();
        let model = train(dir.path(), 2, None).unwrap();
        assert_eq!(weights(&model), last, "stopped at {stop}");
        assert_eq!(names(dir.path()), expected(&[5, 6]), "stopped at {stop}");
    }
}

#[test]
fn a_manifest_that_was_kept_goes_back_to_its_step() {
    let (lines, last) = straight();
    let dir = tempfile::tempdir().unwrap();
    train(dir.path(), 3, None).unwrap();
    let kept = dir.path().join("step-0000004.json");
    std::fs::copy(kept, dir.path().join("latest.json")).unwrap();
    assert_eq!(Checkpoint::load(dir.path()).unwrap().unwrap().step, 4);
    let model = train(dir.path(), 3, None).unwrap();
    assert_eq!(weights(&model), last);
    assert!(std::fs::read(dir.path().join("metrics.jsonl")).unwrap() == lines);
    assert_eq!(names(dir.path()), expected(&[4, 5, 6]));
}

#[test]
fn the_best_weights_stay_beside_the_last() {
    let dir = tempfile::tempdir().unwrap();
    train(dir.path(), 1, Some(2)).unwrap_err();
    let best = weights(&toy(3));
    Best::save(dir.path(), &toy(5), 1, ("vqa.overall", 10.0)).unwrap();
    Best::save(dir.path(), &toy(3), 2, ("vqa.overall", 20.0)).unwrap();
    train(dir.path(), 1, None).unwrap();
    let held = Best::load(dir.path()).unwrap().unwrap();
    assert_eq!((held.step, held.score.as_str(), held.value), (2, "vqa.overall", 20.0));
    let found = CheckpointChoice::Best.weights(dir.path()).unwrap().unwrap();
    assert_eq!((found.step, found.tensors), (2, best));
    let weights = names(dir.path()).into_iter().filter(|name| name.ends_with(".safetensors"));
    let expected = ["best-step-0000002", "step-0000006.optimizer", "step-0000006"];
    assert_eq!(weights.collect::<Vec<_>>(), expected.map(|name| format!("{name}.safetensors")));
    // A file that was changed is found.
    std::fs::write(dir.path().join(&held.model), "other").unwrap();
    let error = CheckpointChoice::Best.weights(dir.path()).err().unwrap().to_string();
    assert!(error.contains("SHA-256") && error.contains(&held.model), "{error}");
}
