//! From results to statistics: the main scores, the rows, the pairs to compare, the verdict.

use crate::Results;
use crate::stats::compare::{Pair, compare};
use crate::stats::grid::{Grid, GridRow};
use crate::stats::summary::{RowSummary, SeedMean, Summary};
use crate::text::verdict::{Sentence, verdict};
use std::collections::{BTreeMap, BTreeSet};
use toolkit_metrics::{mean, t_interval};

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
        alerts: results.alerts.clone(),
        metrics,
    };
    let pairs = baseline_pairs(results, &grid);
    let same = pairs == effect_pairs(results, &grid);
    summary.comparisons =
        if same { summary.effects.clone() } else { compare(&grid, &summary.metrics, &pairs) };
    summary.verdict = verdict(&grid, &summary).iter().map(Sentence::text).collect();
    summary
}

/// Lists the scores that are declared absent and are in no cell.
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

fn row_summary(grid: &Grid, row: &GridRow) -> RowSummary {
    let keys = row.cells.iter().flat_map(|cell| cell.scores.keys());
    let estimated = keys.filter_map(|key| Some((key.clone(), estimate(row, key)?)));
    RowSummary {
        label: grid.label(&row.at),
        axes: grid.values(&row.at),
        seeds: row.seeds().into_iter().collect(),
        scores: estimated.collect(),
    }
}

fn estimate(row: &GridRow, key: &str) -> Option<SeedMean> {
    let values: Vec<f64> = row.by_seed(key).into_values().collect();
    let interval = t_interval(&values, 0.95);
    Some(SeedMean {
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
    let pair = |row: &GridRow| {
        let mut against = row.at.clone();
        replace(&mut against);
        (against != row.at && grid.row(&against).is_some()).then(|| (row.at.clone(), against))
    };
    grid.rows.iter().filter_map(pair).collect()
}
