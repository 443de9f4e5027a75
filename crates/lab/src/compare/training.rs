//! Differences between two trainings of the same stage: logged numbers and weights.

use crate::LabError;
use crate::compare::files::read_finished;
use crate::compare::values::{Difference, differences, flat};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use toolkit_train::checkpoint::Checkpoint;

/// Comparison of two logs of the same stage.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Parting {
    /// Stage: `stage 1`, or the cell.
    pub stage: String,
    /// First step whose numbers differ; `None` if all shared steps are the same.
    pub step: Option<u64>,
    /// Value that differs most at that step, with its difference relative to the first run.
    pub most: Option<(String, f64)>,
    /// Steps that both have.
    pub shared: usize,
    /// Steps that only one has.
    pub alone: usize,
    /// SHA-256 of the trained weights of both, if they differ; nothing where there are none.
    pub weights: Option<[Option<String>; 2]>,
}

impl Parting {
    /// Returns `true` if both went the same way to the same weights.
    #[must_use]
    pub fn same(&self) -> bool {
        self.step.is_none() && self.alone == 0 && self.weights.is_none()
    }
}

/// Reads the lines of a log by step.
fn log(path: &Path) -> Result<BTreeMap<u64, Value>, LabError> {
    let text = read_finished(path)?;
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    Ok(lines.filter_map(|line| Some((line["step"].as_u64()?, line))).collect())
}

/// Compares two stages by their folders.
pub(super) fn parting(stage: &str, a: &Path, b: &Path) -> Result<Parting, LabError> {
    let weights =
        |dir: &Path| Ok::<_, LabError>(Checkpoint::load(dir)?.map(|saved| saved.model_sha256));
    let weights = [weights(a)?, weights(b)?];
    let (a, b) = (log(&a.join("metrics.jsonl"))?, log(&b.join("metrics.jsonl"))?);
    let shared: Vec<(&u64, &Value, &Value)> =
        a.iter().filter_map(|(step, line)| Some((step, line, b.get(step)?))).collect();
    let apart = shared.iter().find(|(_, x, y)| x != y);
    let most = apart.and_then(|(_, x, y)| {
        let relative = |d: &Difference| {
            let (x, y) = (d.a.as_f64()?, d.b.as_f64()?);
            Some((d.at.clone(), (x - y).abs() / x.abs().max(f64::MIN_POSITIVE)))
        };
        differences(&flat(x), &flat(y))
            .iter()
            .filter_map(relative)
            .max_by(|l, r| l.1.total_cmp(&r.1))
    });
    Ok(Parting {
        stage: stage.to_owned(),
        step: apart.map(|(step, ..)| **step),
        most,
        shared: shared.len(),
        alone: a.len() + b.len() - 2 * shared.len(),
        weights: Some(weights).filter(|[own, other]| own != other),
    })
}
