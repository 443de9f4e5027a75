//! Differences between the samples of two cells: texts and scores.

use crate::LabError;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Comparison of the samples of a cell.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Samples {
    /// File, as `CELL/FILE`.
    pub file: String,
    /// Number of samples with the same id.
    pub shared: usize,
    /// Number of these with another text.
    pub texts: usize,
    /// Number of these with another score.
    pub scores: usize,
    /// Number of samples in one of them only.
    pub alone: usize,
}

/// Returns the files of samples in a cell.
pub(super) fn sample_files(cell: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(cell).into_iter().flatten().flatten();
    entries
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".jsonl"))
        .collect()
}

pub(super) fn samples(name: &str, a: &Path, b: &Path) -> Result<Samples, LabError> {
    let read = |path: &Path| -> Result<BTreeMap<String, Value>, LabError> {
        if !path.exists() {
            return Ok(BTreeMap::new());
        }
        let text =
            toolkit_system::input::read_to_string(path).map_err(|e| LabError::io(path, &e))?;
        let rows = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        Ok(rows.map(|row| (format!("{} {}", row["id"], row["question_id"]), row)).collect())
    };
    let (a, b) = (read(a)?, read(b)?);
    let shared: Vec<(&Value, &Value)> =
        a.iter().filter_map(|(id, row)| Some((row, b.get(id)?))).collect();
    let differ = |keys: &[&str]| {
        shared.iter().filter(|(x, y)| keys.iter().any(|key| x[*key] != y[*key])).count()
    };
    Ok(Samples {
        file: name.to_owned(),
        texts: differ(&["raw", "caption"]),
        scores: differ(&["score", "cider"]),
        alone: a.len() + b.len() - 2 * shared.len(),
        shared: shared.len(),
    })
}
