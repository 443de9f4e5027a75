//! The statistics of a report as data: means over seeds with their intervals, and comparisons.

use crate::results::StageAlert;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Statistics that a report prints, computed from [`Results`](crate::Results).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Name of the experiment.
    pub name: String,
    /// Key of the score that the verdict is about.
    pub primary: String,
    /// Keys of the main scores, the primary one first: the columns of the table of results.
    pub metrics: Vec<String>,
    /// Rows, one for each combination of axis values.
    pub rows: Vec<RowSummary>,
    /// The values of the first axis against its baseline value, once for every combination of the
    /// other axes.
    pub effects: Vec<Comparison>,
    /// Every row against its baseline row ([`crate::Results::baseline`]). The same as `effects` if only
    /// the first axis (or no axis) has a baseline.
    pub comparisons: Vec<Comparison>,
    /// The verdict, a sentence or two per entry.
    pub verdict: Vec<String>,
    /// Main scores that there are none of, by key, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub absent: BTreeMap<String, String>,
    /// Conditions of trainings that somebody should look at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<StageAlert>,
}

/// The scores of one combination of axis values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RowSummary {
    /// The combination in words.
    pub label: String,
    /// Axis key to value.
    pub axes: BTreeMap<String, String>,
    /// The seeds it was run with.
    pub seeds: Vec<u64>,
    /// Every final score by key.
    pub scores: BTreeMap<String, SeedMean>,
}

/// A mean over seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeedMean {
    /// The mean.
    pub mean: f64,
    /// Lower end of the 95% t-interval over seeds; `None` of one seed.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// The score of each seed, in the order of the seeds that have one.
    pub values: Vec<f64>,
}

/// A comparison of two rows in one score.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Key of the score.
    pub metric: String,
    /// The row, in words.
    pub row: String,
    /// The row it is compared with.
    pub against: String,
    /// Values of the axes other than the first if they are the same on both sides, in words; else
    /// empty.
    pub context: String,
    /// Axis key to value of the row.
    pub axes: BTreeMap<String, String>,
    /// Axis key to value of the row it is compared with.
    pub against_axes: BTreeMap<String, String>,
    /// Mean of the row, over the seeds compared.
    pub mean: f64,
    /// Mean of the other, over the seeds compared.
    pub against_mean: f64,
    /// `mean - against_mean`.
    pub difference: f64,
    /// Lower end of the 95% interval of the difference over seeds; `None` of fewer than two seeds
    /// in common.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Number of seeds that both have.
    pub seeds: usize,
    /// Paired t-test over seeds: would other seeds show a difference too?
    pub p_seeds: Option<f64>,
    /// The same, with Holm's correction over the comparisons in this score.
    pub p_seeds_holm: Option<f64>,
    /// Number of questions that both answered; 0 without scores of single questions.
    pub questions: usize,
    /// Number of images these are about.
    pub images: usize,
    /// Lower end of the 95% bootstrap interval of the difference over images, these seeds given.
    pub questions_low: Option<f64>,
    /// Upper end.
    pub questions_high: Option<f64>,
    /// Paired permutation test over questions, those about the same image swapped together, seeds
    /// averaged: would these models differ on other questions too?
    pub p_questions: Option<f64>,
    /// The same, with Holm's correction over the comparisons in this score.
    pub p_questions_holm: Option<f64>,
}
