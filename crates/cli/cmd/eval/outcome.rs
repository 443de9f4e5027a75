//! `scores.json` of a task, and the table of all tasks.

use super::Args;
use super::wanted::Wanted;
use crate::text::{decimals, table};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use toolkit_eval::Compared;
use toolkit_lab::compare::outcome::{OUTCOME, outcome_hash};
use toolkit_lab::plan::fingerprint::card_hash;
use toolkit_metrics::Interval;
use toolkit_metrics::scores::{self, Unit};
use toolkit_system::digest::sha256_hex;
use toolkit_system::input;

/// `scores.json` of a task: the model and all that is needed to know what was measured.
#[derive(Serialize, Deserialize)]
pub struct Outcome {
    pub model: String,
    pub of: Option<String>,
    pub result: Report,
}

/// Scores of a task. The only time is `seconds`.
#[derive(Serialize, Deserialize)]
pub struct Report {
    pub task: String,
    pub version: u32,
    pub kind: String,
    pub preset: String,
    pub data: String,
    pub samples: usize,
    /// Scores by name, in the units of [`toolkit_metrics::scores`].
    pub scores: BTreeMap<String, f64>,
    /// 95 % intervals: percentile bootstrap over pictures.
    pub intervals: BTreeMap<String, Interval>,
    pub published: Vec<Compared>,
    /// Reasons for scores that surprise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// SHA-256 of what determines the scores, and of the samples.
    pub hashes: BTreeMap<String, String>,
    pub seconds: f64,
}

impl Outcome {
    /// Adds the hash over all fields but the seconds.
    pub fn sealed(mut self) -> Self {
        let hash = outcome_hash(&json!(self));
        self.result.hashes.insert(OUTCOME.to_owned(), hash);
        self
    }
}

/// Version of the names and units of scores. Results of another version are measured again.
const UNITS: u32 = 2;

/// Hashes all that determines the scores of a task.
pub fn key(args: &Args, wanted: &Wanted) -> String {
    let asked = json!([
        UNITS,
        args.model.stamp(),
        card_hash(&wanted.card),
        wanted.data.fingerprint(),
        wanted.data.len(),
        args.preset,
        args.limit,
        args.prompt,
        args.batch,
    ]);
    sha256_hex(asked.to_string().as_bytes())
}

/// Reads the result that an earlier call of the same command wrote for a task. There is none if
/// the samples have changed since.
pub fn finished(args: &Args, wanted: &Wanted, key: &str) -> Option<Outcome> {
    let dir = args.out.as_ref()?.join(&wanted.card.name);
    let done: Outcome =
        serde_json::from_slice(&input::read(&dir.join("scores.json")).ok()?).ok()?;
    let outcome = outcome_hash(&json!(done));
    let is =
        |name: &str, hash: &str| done.result.hashes.get(name).is_some_and(|found| found == hash);
    let samples = input::read(&dir.join("samples.jsonl")).ok()?;
    (is("measurement", key) && is(OUTCOME, &outcome) && is("samples", &sha256_hex(&samples)))
        .then_some(done)
}

/// Returns the name of a model in published scores: that of its card, which is also that of its
/// folder.
pub fn known_as(model: &str) -> String {
    Path::new(model)
        .file_name()
        .map_or_else(|| model.to_owned(), |name| name.to_string_lossy().into_owned())
}

/// Returns the table of all tasks.
pub fn lines(outcomes: &[Outcome]) -> String {
    let mut rows = Vec::new();
    for report in outcomes.iter().map(|outcome| &outcome.result) {
        for (name, value) in &report.scores {
            let places = if scores::unit(name) == Unit::Cider { 4 } else { 2 };
            let number = |value: f64| decimals(value, places);
            let interval = report.intervals.get(name);
            let interval = interval
                .map_or(String::new(), |i| format!("[{}, {}]", number(i.low), number(i.high)));
            let known = report.published.iter().find(|c| c.published.score == *name);
            let known = known.map_or(String::new(), |c| {
                let verdict = if c.holds { "within" } else { "OUTSIDE" };
                format!(
                    "{} ± {}: {verdict}",
                    number(c.published.value),
                    number(c.published.tolerance)
                )
            });
            rows.push(vec![report.task.clone(), name.clone(), number(*value), interval, known]);
        }
    }
    table(&["task", "score", "value", "95 % interval", "published"], &rows)
}
