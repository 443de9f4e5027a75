//! The cells of an experiment as rows: one per combination of axis values, with a cell per seed.

use crate::{Axis, CellResult, Results};
use std::collections::{BTreeMap, BTreeSet};

/// An axis with all values that occur.
pub(crate) struct GridAxis {
    pub key: String,
    pub label: String,
    pub values: Vec<String>,
}

/// Cells with the same axis values, one for each seed.
pub(crate) struct GridRow<'a> {
    /// Index into the values of each axis.
    pub at: Vec<usize>,
    pub cells: Vec<&'a CellResult>,
}

/// The rows of an experiment, those of the same panel next to each other.
pub(crate) struct Grid<'a> {
    pub axes: Vec<GridAxis>,
    pub rows: Vec<GridRow<'a>>,
    name: &'a str,
}

/// Stands for the value of an axis that a cell lacks.
const ABSENT: &str = "–";

impl<'a> Grid<'a> {
    pub(crate) fn new(results: &'a Results) -> Self {
        let value = |cell: &CellResult, key: &str| {
            cell.axes.get(key).map_or(ABSENT, String::as_str).to_owned()
        };
        let mut axes: Vec<GridAxis> = Vec::new();
        for axis in in_order(results) {
            let mut values: Vec<String> = Vec::new();
            let found = results.cells.iter().map(|cell| value(cell, &axis.key));
            for value in axis.values.iter().cloned().chain(found) {
                if !values.contains(&value) {
                    values.push(value);
                }
            }
            let label = if axis.label.is_empty() { axis.key.clone() } else { axis.label.clone() };
            axes.push(GridAxis { key: axis.key.clone(), label, values });
        }
        let mut rows: Vec<GridRow<'a>> = Vec::new();
        for cell in &results.cells {
            let place = |axis: &GridAxis| {
                let value = value(cell, &axis.key);
                axis.values.iter().position(|known| *known == value).unwrap_or(0)
            };
            let at: Vec<usize> = axes.iter().map(place).collect();
            match rows.iter_mut().find(|row| row.at == at) {
                Some(row) => row.cells.push(cell),
                None => rows.push(GridRow { at, cells: vec![cell] }),
            }
        }
        rows.sort_by(|a, b| (a.panel(), a.first()).cmp(&(b.panel(), b.first())));
        Grid { axes, rows, name: &results.name }
    }

    /// The value of an axis in words: `stage 1 on`, `32 queries` has its label before it too,
    /// `opt-nano` needs none.
    fn phrase(&self, axis: usize, value: usize) -> String {
        let (axis, value) = (&self.axes[axis], &self.axes[axis].values[value]);
        let value = match value.as_str() {
            "true" => "on",
            "false" => "off",
            value => value,
        };
        let bare = matches!(value, "on" | "off" | "yes" | "no" | "none" | ABSENT);
        if bare || value.starts_with(|c: char| c.is_ascii_digit()) {
            format!("{} {value}", axis.label)
        } else {
            value.to_owned()
        }
    }

    /// The row in words.
    pub(crate) fn label(&self, at: &[usize]) -> String {
        if at.is_empty() {
            return if self.name.is_empty() { "all".to_owned() } else { self.name.to_owned() };
        }
        at.iter()
            .enumerate()
            .map(|(axis, &value)| self.phrase(axis, value))
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// The value of the first axis in words.
    pub(crate) fn first_label(&self, at: &[usize]) -> String {
        if at.is_empty() { self.label(at) } else { self.phrase(0, at[0]) }
    }

    /// The values of the other axes in words; empty if there are none.
    pub(crate) fn panel_label(&self, panel: &[usize]) -> String {
        panel
            .iter()
            .enumerate()
            .map(|(at, &value)| self.phrase(at + 1, value))
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// The combinations of the other axes, in order.
    pub(crate) fn panels(&self) -> Vec<Vec<usize>> {
        self.rows
            .iter()
            .map(|row| row.panel().to_vec())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect()
    }

    pub(crate) fn row(&self, at: &[usize]) -> Option<&GridRow<'a>> {
        self.rows.iter().find(|row| row.at == at)
    }

    /// The names of the axes, for the head of the column of rows.
    pub(crate) fn axes_label(&self) -> String {
        self.axes.iter().map(|axis| axis.label.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// Collects the keys of the scores that some cell has.
    pub(crate) fn keys(&self) -> BTreeSet<&'a str> {
        self.rows
            .iter()
            .flat_map(|row| &row.cells)
            .flat_map(|cell| cell.scores.keys().map(String::as_str))
            .collect()
    }

    /// Axis key to value of a row.
    pub(crate) fn values(&self, at: &[usize]) -> BTreeMap<String, String> {
        self.axes
            .iter()
            .zip(at)
            .map(|(axis, &value)| (axis.key.clone(), axis.values[value].clone()))
            .collect()
    }
}

/// The axes, with the first that has a baseline in front: it is what the experiment is about.
fn in_order(results: &Results) -> Vec<&Axis> {
    let mut axes: Vec<&Axis> = results.axes.iter().collect();
    let about = axes.iter().position(|axis| results.baseline.contains_key(&axis.key)).unwrap_or(0);
    if about > 0 {
        axes[..=about].rotate_right(1);
    }
    axes
}

impl GridRow<'_> {
    /// The values of all axes but the first.
    pub(crate) fn panel(&self) -> &[usize] {
        self.at.get(1..).unwrap_or(&[])
    }

    /// The value of the first axis.
    pub(crate) fn first(&self) -> usize {
        self.at.first().copied().unwrap_or(0)
    }

    /// The final score by seed; cells with the same seed are averaged.
    pub(crate) fn by_seed(&self, key: &str) -> BTreeMap<u64, f64> {
        let mut sums: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
        for cell in &self.cells {
            if let Some(value) = cell.scores.get(key).filter(|value| value.is_finite()) {
                let sum = sums.entry(cell.seed).or_default();
                *sum = (sum.0 + value, sum.1 + 1.0);
            }
        }
        sums.into_iter().map(|(seed, (sum, n))| (seed, sum / n)).collect()
    }

    /// The seeds of the row.
    pub(crate) fn seeds(&self) -> BTreeSet<u64> {
        self.cells.iter().map(|cell| cell.seed).collect()
    }

    /// The score of each question, averaged over the cells of `seeds` (all if there are none), with
    /// the image of each (each question is its own image if that is not known). `None` if some cell
    /// lacks it.
    pub(crate) fn questions(
        &self,
        key: &str,
        seeds: &BTreeSet<u64>,
    ) -> Option<(Vec<f64>, Vec<u64>)> {
        let wanted = |cell: &&&CellResult| seeds.is_empty() || seeds.contains(&cell.seed);
        let cells: Vec<&CellResult> = self.cells.iter().filter(wanted).copied().collect();
        let first = cells.first()?;
        let mut sums = vec![0.0; first.per_sample.get(key)?.len()];
        for cell in &cells {
            let scores = cell.per_sample.get(key)?;
            if scores.len() != sums.len()
                || scores.iter().any(|v| !v.is_finite())
                || cell.clusters != first.clusters
            {
                return None;
            }
            for (sum, score) in sums.iter_mut().zip(scores) {
                *sum += score / cells.len() as f64;
            }
        }
        let images = if first.clusters.is_empty() {
            (0..sums.len() as u64).collect()
        } else {
            first.clusters.clone()
        };
        (!sums.is_empty() && images.len() == sums.len()).then_some((sums, images))
    }
}
