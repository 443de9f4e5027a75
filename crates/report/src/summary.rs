//! The statistics of a report: means over seeds with their intervals, and the comparisons of rows.

use crate::Results;
use crate::compare::{Pair, compare};
use crate::grid::{Grid, Row};
use crate::names;
use crate::verdict::Sentence;
use crate::write::capital;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use toolkit_metrics::{mean, t_interval};

impl Summary {
    /// Why there is none of some main scores, a sentence each.
    pub(crate) fn missing(&self) -> Vec<String> {
        self.absent
            .iter()
            .map(|(key, why)| format!("{}: –, for {why}.", capital(&names::long(key))))
            .collect()
    }
}

/// All statistics that a report prints, computed from [`Results`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Name of the experiment.
    pub name: String,
    /// Key of the score that the verdict is about.
    pub primary: String,
    /// Keys of the main scores, the primary one first: the columns of the table of results.
    pub metrics: Vec<String>,
    /// One per combination of axis values.
    pub rows: Vec<RowSummary>,
    /// The values of the first axis against its baseline value, once for every combination of the
    /// other axes.
    pub effects: Vec<Comparison>,
    /// Every row against its baseline row ([`Results::baseline`]). The same as `effects` if only
    /// the first axis (or no axis) has a baseline.
    pub comparisons: Vec<Comparison>,
    /// The verdict, a sentence or two per entry.
    pub verdict: Vec<String>,
    /// Main scores that there are none of, by key, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub absent: BTreeMap<String, String>,
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
    pub scores: BTreeMap<String, Estimate>,
}

/// A mean over seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// Lower end of the 95% t-interval over seeds; `None` of one seed.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// The score of each seed, in the order of the seeds that have one.
    pub values: Vec<f64>,
}

/// One row against another, in one score.
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

/// Scores that are main if they are there, in the order of their columns.
const MAIN: [&str; 6] = [
    "vqa.overall",
    "vqa.along",
    "caption.cider",
    "caption.bleu4",
    "retrieval.itc.txt_r1",
    "retrieval.itc.img_r1",
];

/// The statistics of an experiment.
#[must_use]
pub fn summary(results: &Results) -> Summary {
    let grid = Grid::new(results);
    let metrics = main_metrics(results, &grid);
    let mut summary = Summary {
        name: results.name.clone(),
        primary: results.primary.clone(),
        rows: grid.rows.iter().map(|row| row_summary(&grid, row)).collect(),
        effects: compare(&grid, &metrics, &effect_pairs(results, &grid)),
        comparisons: Vec::new(),
        verdict: Vec::new(),
        absent: absent(results, &grid),
        metrics,
    };
    let pairs = baseline_pairs(results, &grid);
    let same = pairs == effect_pairs(results, &grid);
    summary.comparisons =
        if same { summary.effects.clone() } else { compare(&grid, &summary.metrics, &pairs) };
    summary.verdict = crate::verdict::verdict(&grid, &summary).iter().map(Sentence::text).collect();
    summary
}

/// Returns what is said to be absent and is, in fact, in no cell.
fn absent(results: &Results, grid: &Grid) -> BTreeMap<String, String> {
    let keys = grid.keys();
    results
        .absent
        .iter()
        .filter(|(key, _)| !keys.contains(key.as_str()))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect()
}

fn main_metrics(results: &Results, grid: &Grid) -> Vec<String> {
    let absent = absent(results, grid);
    let keys: BTreeSet<&str> =
        grid.keys().into_iter().chain(absent.keys().map(String::as_str)).collect();
    let mut found: Vec<String> = Vec::new();
    for key in std::iter::once(results.primary.as_str()).chain(MAIN) {
        if keys.contains(key) && !found.iter().any(|known| known == key) {
            found.push(key.to_owned());
        }
    }
    // Tasks on further data, which are called by it.
    for key in &keys {
        let main = key.split_once('.').is_some_and(|(task, score)| {
            !["vqa", "caption", "retrieval"].contains(&task)
                && ["overall", "cider"].contains(&score)
        });
        if main && !found.iter().any(|known| known == key) {
            found.push((*key).to_owned());
        }
    }
    // Scores of a kind unknown here are shown rather than nothing.
    if found.is_empty() {
        keys.iter().take(MAIN.len()).map(|&key| key.to_owned()).collect()
    } else {
        found
    }
}

fn row_summary(grid: &Grid, row: &Row) -> RowSummary {
    let keys = row.cells.iter().flat_map(|cell| cell.scores.keys());
    let estimated = keys.filter_map(|key| Some((key.clone(), estimate(row, key)?)));
    RowSummary {
        label: grid.label(&row.at),
        axes: grid.values(&row.at),
        seeds: row.seeds().into_iter().collect(),
        scores: estimated.collect(),
    }
}

fn estimate(row: &Row, key: &str) -> Option<Estimate> {
    let values: Vec<f64> = row.by_seed(key).into_values().collect();
    let interval = t_interval(&values, 0.95);
    Some(Estimate {
        mean: mean(&values)?,
        low: interval.map(|i| i.low),
        high: interval.map(|i| i.high),
        values,
    })
}

/// The index of the baseline value of an axis, if it has one.
fn baseline(results: &Results, grid: &Grid, axis: usize) -> Option<usize> {
    let axis = grid.axes.get(axis)?;
    let value = results.baseline.get(&axis.key)?;
    axis.values.iter().position(|known| known == value)
}

/// Every value of the first axis against its baseline (its last value if none is named) within each
/// panel.
fn effect_pairs(results: &Results, grid: &Grid) -> Vec<Pair> {
    let Some(first) = grid.axes.first() else { return Vec::new() };
    let against = baseline(results, grid, 0).unwrap_or(first.values.len().saturating_sub(1));
    pairs(grid, |at| at[0] = against)
}

/// Every row against the one with the baseline values.
fn baseline_pairs(results: &Results, grid: &Grid) -> Vec<Pair> {
    let values: Vec<Option<usize>> =
        (0..grid.axes.len()).map(|axis| baseline(results, grid, axis)).collect();
    if values.iter().all(Option::is_none) {
        return effect_pairs(results, grid);
    }
    pairs(grid, |at| at.iter_mut().zip(&values).for_each(|(at, value)| *at = value.unwrap_or(*at)))
}

fn pairs(grid: &Grid, replace: impl Fn(&mut Vec<usize>)) -> Vec<Pair> {
    let pair = |row: &Row| {
        let mut against = row.at.clone();
        replace(&mut against);
        (against != row.at && grid.row(&against).is_some()).then(|| (row.at.clone(), against))
    };
    grid.rows.iter().filter_map(pair).collect()
}
