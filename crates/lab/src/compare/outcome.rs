//! Comparison of two evaluations of the same samples: is the difference more than chance?

use crate::LabError;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use toolkit_metrics::{Interval, bootstrap, holm, mean, paired_permutation};
use toolkit_system::digest::sha256_hex;
use toolkit_system::problem::Problem;

/// Draws of the test and of the interval.
const RESAMPLES: usize = 10_000;

/// Files of a task in a folder that `toolkit eval --out` made.
const FILES: [&str; 2] = ["scores.json", "samples.jsonl"];

/// The hint for a file that is damaged or gone.
const AGAIN: &str = "the same `toolkit eval --out` command measures this task again";

/// Comparison of a task that both measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Paired {
    /// The task card.
    pub task: String,
    /// Score that is averaged: `accuracy`, `cider`, or `text R@1`.
    pub score: String,
    /// Mean of the first over the samples that both have.
    pub a: f64,
    /// Mean of the second.
    pub b: f64,
    /// `a - b` with its 95 % bootstrap interval over pictures; nothing of fewer than two pictures.
    pub difference: Option<Interval>,
    /// Paired permutation test, answers about the same picture swapped together.
    pub p: f64,
    /// With Holm's correction over all tasks compared.
    pub p_holm: f64,
    /// Samples that both have.
    pub shared: usize,
    /// Samples that only one has; these say nothing here.
    pub alone: usize,
    /// Parts of the measurement that are not the same: the task card or the data.
    pub unlike: Vec<String>,
    /// Files of samples whose hash no `scores.json` says, by versions that wrote none: there damage
    /// cannot be told.
    pub unlisted: Vec<PathBuf>,
}

impl Paired {
    /// Returns `true` if task card, data and samples are the same.
    #[must_use]
    pub fn same_measurement(&self) -> bool {
        self.alone == 0 && self.unlike.is_empty()
    }
}

/// Returns `true` if `toolkit eval --out` made the folder.
#[must_use]
pub fn is_evaluation(dir: &Path) -> bool {
    !tasks(dir).is_empty()
}

/// Returns the names of the tasks in a folder that `toolkit eval --out` made.
fn tasks(dir: &Path) -> Vec<String> {
    let folders = std::fs::read_dir(dir).into_iter().flatten().flatten();
    // One of the two is enough: that the other is gone is damage, and no reason to leave the task
    // out.
    let measured = folders.filter(|f| FILES.iter().any(|name| f.path().join(name).is_file()));
    let mut names: Vec<String> =
        measured.map(|f| f.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Returns the names of the tasks that only one of two folders has.
#[must_use]
pub fn tasks_alone(a: &Path, b: &Path) -> Vec<String> {
    let (own, others) = (tasks(a), tasks(b));
    let mut alone: Vec<String> =
        own.iter().filter(|task| !others.contains(task)).cloned().collect();
    alone.extend(others.into_iter().filter(|task| !own.contains(task)));
    alone
}

/// Compares all tasks that both folders have.
///
/// # Errors
/// If they have none in common, share no samples, or a file is damaged or gone.
pub fn compare(a: &Path, b: &Path) -> Result<Vec<Paired>, LabError> {
    let others = tasks(b);
    let common: Vec<String> = tasks(a).into_iter().filter(|task| others.contains(task)).collect();
    if common.is_empty() {
        return Err(Problem::new(format_args!(
            "{} and {} have no task in common",
            a.display(),
            b.display()
        ))
        .hint("give two folders that `toolkit eval --out` made with the same `--tasks`")
        .into());
    }
    let mut all = Vec::new();
    for task in common {
        all.push(of_task(&task, &a.join(&task), &b.join(&task))?);
    }
    let corrected = holm(&all.iter().map(|paired| paired.p).collect::<Vec<_>>());
    all.iter_mut().zip(corrected).for_each(|(paired, p)| paired.p_holm = p);
    Ok(all)
}

fn of_task(task: &str, a: &Path, b: &Path) -> Result<Paired, LabError> {
    let reports = [report(a)?, report(b)?];
    let unlike =
        ["task", "data"].into_iter().filter(|key| hash(&reports[0], key) != hash(&reports[1], key));
    let unlike = unlike.map(str::to_owned).collect();
    let unlisted =
        [a, b].into_iter().zip(&reports).filter(|(_, report)| hash(report, "samples").is_none());
    let unlisted = unlisted.map(|(dir, _)| dir.join(FILES[1])).collect();
    let kind = reports[0]["result"]["kind"].as_str().unwrap_or_default().to_owned();
    let (own, other) = (samples(a, &reports[0], &kind)?, samples(b, &reports[1], &kind)?);
    let mut pictures: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut x, mut y, mut clusters) = (Vec::new(), Vec::new(), Vec::new());
    for (key, value) in &own {
        if let Some(paired) = other.get(key) {
            let next = pictures.len() as u64;
            clusters.push(*pictures.entry(key.0.as_str()).or_insert(next));
            x.push(*value);
            y.push(*paired);
        }
    }
    let (Some(mean_a), Some(mean_b)) = (mean(&x), mean(&y)) else {
        return Err(Problem::new(format_args!(
            "{} and {} share no sample",
            a.display(),
            b.display()
        ))
        .hint("measure both on the same data")
        .into());
    };
    let differences: Vec<f64> = x.iter().zip(&y).map(|(x, y)| x - y).collect();
    let p = paired_permutation(&x, &y, Some(&clusters), RESAMPLES, 0);
    let score = match kind.as_str() {
        "vqa" => "accuracy",
        "caption" => "cider",
        _ => "text R@1",
    };
    Ok(Paired {
        task: task.to_owned(),
        score: score.to_owned(),
        a: mean_a,
        b: mean_b,
        difference: bootstrap(&differences, Some(&clusters), RESAMPLES, 0),
        p,
        p_holm: p,
        shared: x.len(),
        alone: own.len() + other.len() - 2 * x.len(),
        unlike,
        unlisted,
    })
}

/// Reads `scores.json` of a task.
fn report(dir: &Path) -> Result<Value, LabError> {
    let path = dir.join(FILES[0]);
    let bytes = read(&path)?;
    let report: Value = serde_json::from_slice(&bytes).map_err(|e| {
        LabError::from(Problem::new(format_args!("{}: {e}", path.display())).hint(AGAIN))
    })?;
    let found = outcome_hash(&report);
    match hash(&report, OUTCOME) {
        Some(written) if written != found => {
            let what =
                format!("{}: its content hashes to {found}, it says {written}", path.display());
            Err(Problem::new(what).hint(AGAIN).into())
        }
        _ => Ok(report),
    }
}

/// Key of a task's hash over its own `scores.json`.
pub const OUTCOME: &str = "outcome";

/// Hashes a task's `scores.json` but for this hash and the seconds.
#[must_use]
pub fn outcome_hash(report: &Value) -> String {
    let mut all = report.clone();
    all["result"]["seconds"].take();
    // The order of the other hashes stays.
    all["result"]["hashes"].as_object_mut().and_then(|hashes| hashes.shift_remove(OUTCOME));
    sha256_hex(all.to_string().as_bytes())
}

/// Returns a hash that `scores.json` holds.
fn hash<'a>(report: &'a Value, key: &str) -> Option<&'a str> {
    report["result"]["hashes"][key].as_str()
}

/// Reads a file of a task.
fn read(path: &Path) -> Result<Vec<u8>, LabError> {
    toolkit_system::input::read(path).map_err(|e| match e.kind() {
        ErrorKind::NotFound => {
            LabError::from(Problem::new(format_args!("{}: it is gone", path.display())).hint(AGAIN))
        }
        _ => LabError::io(path, &e),
    })
}

/// Reads the scores by picture and sample from the file that `scores.json` was made from.
fn samples(
    dir: &Path,
    report: &Value,
    kind: &str,
) -> Result<BTreeMap<(String, String), f64>, LabError> {
    let path = dir.join(FILES[1]);
    let bytes = read(&path)?;
    if let Some(written) = hash(report, "samples") {
        let found = sha256_hex(&bytes);
        if found != written {
            let what = format!(
                "{}: its SHA-256 is {found}, `{}` says {written}",
                path.display(),
                FILES[0]
            );
            return Err(Problem::new(what).hint(AGAIN).into());
        }
    }
    let text = String::from_utf8(bytes).map_err(|_| {
        LabError::from(
            Problem::new(format_args!("{}: it is no text in UTF-8", path.display())).hint(AGAIN),
        )
    })?;
    let mut all = BTreeMap::new();
    for (line, row) in text.lines().enumerate() {
        let wrong = || {
            LabError::from(
                Problem::new(format_args!(
                    "{}:{}: no sample of such a task",
                    path.display(),
                    line + 1
                ))
                .hint(AGAIN),
            )
        };
        let row: Value = serde_json::from_str(row).map_err(|_| wrong())?;
        let found = match kind {
            "vqa" => row["score"].as_f64().map(|score| 100.0 * score),
            "caption" => row["cider"].as_f64(),
            // The final ranking: re-ranked where it was, otherwise by similarity.
            _ => row["text_rank_itm"]
                .as_u64()
                .or_else(|| row["text_rank_itc"].as_u64())
                .map(|rank| if rank == 0 { 100.0 } else { 0.0 }),
        };
        let picture = if row["id"].is_null() { &row["item"] } else { &row["id"] };
        all.insert((picture.to_string(), row["question_id"].to_string()), found.ok_or_else(wrong)?);
    }
    Ok(all)
}
