//! A finished run whose files are damaged one by one: nothing damaged is used in silence.

use super::support::{
    TINY, called, copy_of_finished, experiment, files, finished, folder, run_command, text, toolkit,
};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Outcome for a damaged file when the same command is typed again.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    /// It is made again, to the same bytes.
    Again,
    /// It is said once, and the file stays.
    Said,
    /// It is an error.
    Error,
}

/// Flips one bit in the middle of a file: of a digit if it is text, which may well still be read.
fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    let digit = (middle..bytes.len())
        .find(|&at| bytes[at].is_ascii_digit() && bytes[at - 1].is_ascii_digit());
    let is_text = std::str::from_utf8(&bytes).is_ok();
    let (at, bit) = digit.filter(|_| is_text).map_or((middle, 0x40), |at| (at, 1));
    bytes[at] ^= bit;
    std::fs::write(path, bytes).unwrap();
}

/// Everything but the lists themselves, and what the run writes on every call whatever it finds.
fn cases(run: &Path) -> Vec<(PathBuf, Then)> {
    let seen = |path: &PathBuf| {
        let text = path.to_str().unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let inside = path.components().count() > 1;
        Some(match name {
            "done.json" | ".lock" => return None,
            _ if text.starts_with("features") => return None,
            _ if name.ends_with(".optimizer.safetensors") => Then::Said,
            "timing.jsonl" | "seconds.json" => Then::Said,
            "alerts.jsonl" | "timing-alerts.jsonl" => Then::Said,
            "manifest.json" => Then::Error,
            _ if !inside => Then::Again,
            _ if name.ends_with(".safetensors")
                || name == "latest.json"
                || name == "metrics.jsonl" =>
            {
                Then::Error
            }
            _ if text.contains("/eval/") => Then::Error,
            _ => Then::Again,
        })
    };
    files(run).into_iter().filter_map(|path| Some((path.clone(), seen(&path)?))).collect()
}

#[test]
fn every_file_of_a_finished_run_is_compared_before_it_is_used() {
    let run = copy_of_finished();
    let (run, dir) = (run.path(), folder());
    let command = || called(&mut run_command(&experiment(dir.path(), TINY), run, &["--jobs", "2"]));
    // One cell is enough, the first with stage 1.
    let all = cases(run);
    let cell = all.iter().find_map(|(path, _)| {
        path.starts_with("cells").then(|| path.iter().nth(1).unwrap().to_owned())
    });
    let mut kinds = [0; 3];
    for (file, then) in all
        .into_iter()
        .filter(|(path, _)| !path.starts_with("cells") || path.iter().nth(1) == cell.as_deref())
    {
        let path = run.join(&file);
        let whole = std::fs::read(&path).unwrap();
        flip(&path);
        let found = std::fs::read(&path).unwrap();
        let said = command();
        let name = file.display();
        assert!(
            said.stderr.contains(file.file_name().unwrap().to_str().unwrap()),
            "{name} in silence: {}",
            said.stderr
        );
        assert!(said.stderr.contains("SHA-256"), "{name}: {}", said.stderr);
        kinds[then as usize] += 1;
        match then {
            Then::Again => {
                said.ok();
                // Those of the run folder hold times.
                if file.components().count() > 1 {
                    assert!(std::fs::read(&path).unwrap() == whole, "{name} is not what it was");
                }
                let quiet = command().ok();
                assert!(!quiet.stderr.contains("SHA-256"), "{name}: {}", quiet.stderr);
            }
            Then::Said => {
                said.ok();
                assert!(std::fs::read(&path).unwrap() == found, "{name} was touched");
                let quiet = command().ok();
                assert!(!quiet.stderr.contains("SHA-256"), "{name} again: {}", quiet.stderr);
            }
            Then::Error => {
                said.fails_last_with(&["SHA-256"]);
                assert!(std::fs::read(&path).unwrap() == found, "{name} was touched");
                std::fs::write(&path, whole).unwrap();
                command().ok();
            }
        }
    }
    assert!(kinds.iter().all(|&count| count >= 3), "{kinds:?}");
}

#[test]
fn what_reads_a_run_compares_what_it_reads() {
    let run = copy_of_finished();
    let run = run.path();
    flip(&run.join("results.json"));
    toolkit(&["report", text(run)]).fails_with(&["results.json", "SHA-256", "toolkit run"]);
    let run = copy_of_finished();
    let run = run.path();
    // The report is made anew from whole results, and the list knows the new one.
    std::fs::write(run.join("report.md"), "gone").unwrap();
    toolkit(&["report", text(run)]).ok();
    assert!(
        toolkit(&["diff", text(finished().0), text(run)])
            .ok()
            .stdout
            .contains("The results are the same")
    );
    let spec = files(run)
        .into_iter()
        .find(|path| path.starts_with("cells") && path.ends_with("spec.toml"))
        .unwrap();
    let held = std::fs::read_to_string(run.join(&spec)).unwrap();
    std::fs::write(run.join(&spec), held.replace("opt-nano", "t5-nano")).unwrap();
    let cell = spec.iter().nth(1).unwrap().to_str().unwrap();
    toolkit(&["eval", text(run), "--cell", cell, "--tasks", "scenes-vqa"])
        .fails_last_with(&["spec.toml", "SHA-256"]);
}

/// The features of the training split.
fn train_features(run: &Path) -> PathBuf {
    let rows =
        files(run).into_iter().filter(|path| path.extension().is_some_and(|end| end == "f16"));
    run.join(rows.max_by_key(|path| std::fs::metadata(run.join(path)).unwrap().len()).unwrap())
}

#[test]
fn damaged_features_are_computed_again_before_they_train() {
    let dir = folder();
    let (file, out) = (experiment(dir.path(), TINY), dir.path().join("out"));
    let source = finished().0.join("features");
    std::fs::create_dir_all(out.join("features")).unwrap();
    for entry in std::fs::read_dir(source).unwrap().map(Result::unwrap) {
        std::fs::copy(entry.path(), out.join("features").join(entry.file_name())).unwrap();
    }
    // One exponent bit of every 1,000th value, as a run once trained on without a word.
    let path = train_features(&out);
    let whole = std::fs::read(&path).unwrap();
    let mut bytes = whole.clone();
    bytes.iter_mut().skip(1).step_by(2000).for_each(|byte| *byte ^= 0x40);
    std::fs::write(&path, bytes).unwrap();
    let said = called(&mut run_command(&file, &out, &["--jobs", "2"])).ok();
    assert!(said.stderr.contains(" damaged; "), "{}", said.stderr);
    assert!(std::fs::read(&path).unwrap() == whole, "they are what they were");
    assert!(
        toolkit(&["diff", text(finished().0), text(&out)])
            .ok()
            .stdout
            .contains("The results are the same")
    );
}

#[test]
fn features_that_are_damaged_all_over_are_mended_by_one_command() {
    let dir = folder();
    let (file, out) = (experiment(dir.path(), TINY), dir.path().join("out"));
    std::fs::create_dir_all(out.join("features")).unwrap();
    let mut whole = Vec::new();
    for entry in std::fs::read_dir(finished().0.join("features")).unwrap().map(Result::unwrap) {
        let copy = out.join("features").join(entry.file_name());
        let mut bytes = std::fs::read(entry.path()).unwrap();
        whole.push((copy.clone(), bytes.clone()));
        if copy.extension().is_some_and(|end| end == "f16") {
            let half = bytes.len() / 2;
            bytes[half..].fill(0);
            bytes.iter_mut().skip(1).step_by(2000).for_each(|byte| *byte ^= 0x40);
        }
        std::fs::write(copy, bytes).unwrap();
    }
    // Training, curves and tables: a job meets one damaged file after the other.
    assert_eq!(
        whole.iter().filter(|(path, _)| path.extension().is_some_and(|end| end == "f16")).count(),
        3
    );
    called(&mut run_command(&file, &out, &["--jobs", "1"])).ok();
    for (path, bytes) in whole {
        assert!(std::fs::read(&path).unwrap() == bytes, "{}", path.display());
    }
    assert!(
        toolkit(&["diff", text(finished().0), text(&out)])
            .ok()
            .stdout
            .contains("The results are the same")
    );
}

#[test]
fn an_evaluation_goes_on_after_the_task_it_was_killed_in() {
    // The last cell without its scores, with the answers that it gave before a kill.
    let run = copy_of_finished();
    let (run, dir) = (run.path(), folder());
    let cell = files(run)
        .into_iter()
        .find(|path| path.starts_with("cells") && path.ends_with("scores.json"))
        .unwrap();
    let cell = cell.parent().unwrap().to_owned();
    let samples = std::fs::read(run.join(&cell).join("samples.jsonl")).unwrap();
    let list = run.join(&cell).join("done.json");
    let mut done: Value = serde_json::from_slice(&std::fs::read(&list).unwrap()).unwrap();
    done["whole"] = false.into();
    for name in ["scores.json", "samples.jsonl", "captions.jsonl", "tiny.jsonl"] {
        std::fs::remove_file(run.join(&cell).join(name)).unwrap();
        done["files"].as_object_mut().unwrap().remove(name).unwrap();
    }
    std::fs::write(&list, done.to_string()).unwrap();
    called(&mut run_command(&experiment(dir.path(), TINY), run, &["--jobs", "2"])).ok();
    assert!(std::fs::read(run.join(&cell).join("samples.jsonl")).unwrap() == samples);
    assert!(!run.join(&cell).join("pieces").exists());
    assert!(
        toolkit(&["diff", text(finished().0), text(run)])
            .ok()
            .stdout
            .contains("The results are the same")
    );
}
