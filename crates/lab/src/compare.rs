//! Two evaluations of the same samples, compared pair by pair: is the difference more than chance?

use crate::LabError;
use crate::stages::read_json;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use toolkit_metrics::{Interval, bootstrap, holm, mean, paired_permutation};

/// Draws of the test and of the interval.
const RESAMPLES: usize = 10_000;

/// One task that both were measured by.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Paired {
    /// The task card.
    pub task: String,
    /// Of what the means are: `accuracy`, `cider`, or `text R@1`.
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
    /// What is not the same about the measurement: the task card or the data.
    pub unlike: Vec<String>,
}

/// Whether a folder is what `toolkit eval --out` made.
#[must_use]
pub fn is_evaluation(dir: &Path) -> bool {
    !tasks(dir).is_empty()
}

/// Names of the tasks in a folder that `toolkit eval --out` made.
fn tasks(dir: &Path) -> Vec<String> {
    let folders = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let whole = folders.filter(|f| ["scores.json", "samples.jsonl"].iter().all(|name| f.path().join(name).is_file()));
    let mut names: Vec<String> = whole.map(|f| f.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Compares all tasks that both folders have.
///
/// # Errors
/// If they have none in common, share no samples, or a file is damaged.
pub fn compare(a: &Path, b: &Path) -> Result<Vec<Paired>, LabError> {
    let others = tasks(b);
    let common: Vec<String> = tasks(a).into_iter().filter(|task| others.contains(task)).collect();
    if common.is_empty() {
        return Err(LabError::new(
            format!("{} and {} have no task in common", a.display(), b.display()),
            "give two folders that `toolkit eval --out` made with the same `--tasks`",
        ));
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
    let reports: [Value; 2] = [read_json(&a.join("scores.json"))?, read_json(&b.join("scores.json"))?];
    let unlike = ["task", "data"].into_iter().filter(|key| {
        let of = |report: &Value| report["result"]["hashes"][*key].clone();
        of(&reports[0]) != of(&reports[1])
    });
    let unlike = unlike.map(str::to_owned).collect();
    let kind = reports[0]["result"]["kind"].as_str().unwrap_or_default().to_owned();
    let (own, other) = (samples(&a.join("samples.jsonl"), &kind)?, samples(&b.join("samples.jsonl"), &kind)?);
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
        return Err(LabError::new(
            format!("{} and {} share no sample", a.display(), b.display()),
            "measure both on the same data",
        ));
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
    })
}

/// Scores by picture and sample.
fn samples(path: &Path, kind: &str) -> Result<BTreeMap<(String, String), f64>, LabError> {
    let text = std::fs::read_to_string(path).map_err(|e| LabError::io(path, &e))?;
    let mut all = BTreeMap::new();
    for (line, row) in text.lines().enumerate() {
        let wrong =
            || LabError::new(format!("{}:{}: no sample of such a task", path.display(), line + 1), "evaluate again");
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
