//! Two evaluations: what is damaged, what only one has, what is not the same.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use serde_json::json;
use std::fmt::Write;
use std::path::Path;
use toolkit_lab::compare::outcome::{Paired, compare, is_evaluation, tasks_alone};
use toolkit_system::digest::sha256_hex;

/// Rows of answers: picture, and score.
fn rows(scores: &[f64]) -> String {
    scores.iter().enumerate().fold(String::new(), |mut all, (at, score)| {
        writeln!(all, "{}", json!({"id": at / 2, "question_id": at, "score": score})).unwrap();
        all
    })
}

/// Writes a task as `toolkit eval --out` does; `hash` is what `scores.json` says of its samples.
fn write(dir: &Path, task: &str, rows: &str, hash: Option<&str>) {
    let dir = dir.join(task);
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("samples.jsonl"), rows).unwrap();
    let mut hashes = json!({"task": "t", "data": "d"});
    if let Some(hash) = hash {
        hashes["samples"] = hash.into();
    }
    let report = json!({"result": {"kind": "vqa", "hashes": hashes}});
    std::fs::write(dir.join("scores.json"), report.to_string()).unwrap();
}

fn whole(dir: &Path, task: &str, rows: &str) {
    write(dir, task, rows, Some(&sha256_hex(rows.as_bytes())));
}

const SCORES: [f64; 6] = [1.0, 0.0, 1.0, 1.0, 0.0, 0.3];

fn pair() -> (tempfile::TempDir, tempfile::TempDir) {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    whole(a.path(), "own-vqa", &rows(&SCORES));
    whole(b.path(), "own-vqa", &rows(&SCORES));
    (a, b)
}

fn only(a: &Path, b: &Path) -> Paired {
    let mut found = compare(a, b).unwrap();
    assert_eq!(found.len(), 1);
    found.remove(0)
}

#[test]
fn samples_that_are_not_those_of_the_scores_are_an_error_on_either_side() {
    let held = rows(&SCORES);
    let flipped = held.replacen("1.0", "0.0", 1);
    let cut: String = held.lines().take(2).map(|line| format!("{line}\n")).collect();
    for damaged in
        [flipped, cut, held.trim_end().to_owned(), String::new(), "\0".repeat(held.len())]
    {
        let (a, b) = pair();
        std::fs::write(b.path().join("own-vqa/samples.jsonl"), &damaged).unwrap();
        let (found, written) = (sha256_hex(damaged.as_bytes()), sha256_hex(held.as_bytes()));
        for error in [compare(a.path(), b.path()), compare(b.path(), a.path())]
            .map(|all| all.unwrap_err().to_string())
        {
            let file = b.path().join("own-vqa/samples.jsonl").display().to_string();
            assert!(error.starts_with(&format!("{file}: its SHA-256 is {found}, ")), "{error}");
            assert!(
                error.contains(&written) && error.contains("hint: ") && !error.contains('\n'),
                "{error}"
            );
        }
    }
}

#[test]
fn a_file_that_is_gone_is_an_error_and_not_a_task_less() {
    for gone in ["samples.jsonl", "scores.json"] {
        let (a, b) = pair();
        for dir in [&a, &b] {
            whole(dir.path(), "second-vqa", &rows(&SCORES));
        }
        std::fs::remove_file(b.path().join("second-vqa").join(gone)).unwrap();
        let error = compare(a.path(), b.path()).unwrap_err().to_string();
        assert!(
            error.contains(&format!("{gone}: it is gone; hint: the same `toolkit eval")),
            "{error}"
        );
        assert!(is_evaluation(b.path()));
    }
}

#[test]
fn other_scores_are_statistics_and_other_samples_are_not() {
    let (a, b) = pair();
    let paired = only(a.path(), b.path());
    assert!(
        paired.same_measurement()
            && (paired.shared, paired.alone) == (6, 0)
            && paired.unlisted.is_empty()
    );
    whole(b.path(), "own-vqa", &rows(&[0.0; 6]));
    let paired = only(a.path(), b.path());
    assert!(
        paired.same_measurement() && (paired.a - 55.0).abs() < 1e-9 && paired.b == 0.0,
        "{paired:?}"
    );
    // Rows less, in a whole file.
    whole(b.path(), "own-vqa", &rows(&SCORES[..4]));
    let paired = only(a.path(), b.path());
    assert!(!paired.same_measurement() && (paired.shared, paired.alone) == (4, 2), "{paired:?}");
    // A task less.
    assert!(tasks_alone(a.path(), b.path()).is_empty());
    whole(b.path(), "more-vqa", &rows(&SCORES));
    assert_eq!(tasks_alone(a.path(), b.path()), ["more-vqa"]);
    assert_eq!(tasks_alone(b.path(), a.path()), ["more-vqa"]);
}

#[test]
fn without_a_hash_it_is_said_that_damage_cannot_be_told() {
    let (a, b) = pair();
    write(b.path(), "own-vqa", &rows(&SCORES), None);
    assert_eq!(only(a.path(), b.path()).unlisted, [b.path().join("own-vqa/samples.jsonl")]);
}

#[test]
fn a_score_that_was_changed_is_named() {
    let report = serde_json::json!({"model": "m", "result": {"scores": {"overall": 30.0}, "hashes": {"a": "1", "z": "2"}, "seconds": 3.0}});
    let written = toolkit_lab::compare::outcome::outcome_hash(&report);
    let mut sealed = report.clone();
    sealed["result"]["hashes"][toolkit_lab::compare::outcome::OUTCOME] = written.clone().into();
    sealed["result"]["seconds"] = 9.0.into();
    assert_eq!(
        toolkit_lab::compare::outcome::outcome_hash(&sealed),
        written,
        "neither itself nor the time counts"
    );
    sealed["result"]["scores"]["overall"] = 99.9.into();
    assert_ne!(toolkit_lab::compare::outcome::outcome_hash(&sealed), written);
}
