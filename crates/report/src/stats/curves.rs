//! The data of the main figure: one panel per value of the other axes, one line per value of the
//! first.

use crate::names::{CONTROLS, control_key};
use crate::stats::grid::{Grid, GridRow};
use std::collections::BTreeMap;
use toolkit_metrics::{mean, t_interval};

/// The lines of one panel.
pub(crate) struct Panel {
    pub title: String,
    pub lines: Vec<Line>,
    /// Name and value of each control, averaged over the rows of the panel.
    pub references: Vec<(&'static str, f64)>,
}

/// The course of one row.
pub(crate) struct Line {
    /// Index of the value of the first axis: the style of the line.
    pub series: usize,
    pub label: String,
    pub points: Vec<Point>,
    /// Step and score of each seed.
    pub seeds: Vec<Vec<(f64, f64)>>,
}

/// The mean over seeds at a step, with its band.
pub(crate) struct Point {
    pub step: f64,
    pub mean: f64,
    pub low: f64,
    pub high: f64,
    pub seeds: usize,
}

/// The panels of the curves of a score. Empty if no cell has at least two points.
pub(crate) fn panels(grid: &Grid, metric: &str) -> Vec<Panel> {
    let panel = |panel: &Vec<usize>| {
        let rows: Vec<&GridRow> =
            grid.rows.iter().filter(|row| row.panel() == panel.as_slice()).collect();
        let lines: Vec<Line> = rows.iter().filter_map(|row| line(grid, row, metric)).collect();
        (!lines.is_empty()).then(|| Panel {
            title: grid.panel_label(panel),
            references: references(&rows, metric),
            lines,
        })
    };
    grid.panels().iter().filter_map(panel).collect()
}

/// The controls of a score, averaged over rows.
pub(crate) fn references(rows: &[&GridRow], metric: &str) -> Vec<(&'static str, f64)> {
    let value = |&(control, name, _): &(&str, &'static str, &str)| {
        let key = control_key(metric, control);
        let means = rows
            .iter()
            .filter_map(|row| mean(&row.by_seed(&key).into_values().collect::<Vec<_>>()));
        Some((name, mean(&means.collect::<Vec<_>>())?))
    };
    CONTROLS.iter().filter_map(value).collect()
}

fn line(grid: &Grid, row: &GridRow, metric: &str) -> Option<Line> {
    let mut seeds: Vec<Vec<(f64, f64)>> = Vec::new();
    for cell in &row.cells {
        let score =
            |point: &crate::CurvePoint| Some((point.step as f64, *point.scores.get(metric)?));
        let mut course: Vec<(f64, f64)> =
            cell.curve.iter().filter_map(score).filter(|p| p.1.is_finite()).collect();
        course.sort_by(|a, b| a.0.total_cmp(&b.0));
        if course.len() > 1 {
            seeds.push(course);
        }
    }
    let mut at_step: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for &(step, score) in seeds.iter().flatten() {
        at_step.entry(step as u64).or_default().push(score);
    }
    // A mean over fewer seeds than elsewhere would show a jump that no seed made.
    let most = at_step.values().map(Vec::len).max()?;
    at_step.retain(|_, scores| scores.len() == most);
    let point = |(step, scores): (u64, Vec<f64>)| {
        let (low, high) = band(&scores)?;
        Some(Point { step: step as f64, mean: mean(&scores)?, low, high, seeds: scores.len() })
    };
    let points: Vec<Point> = at_step.into_iter().filter_map(point).collect();
    Some(Line { series: row.first(), label: grid.first_label(&row.at), points, seeds })
}

/// The 95% t-interval over three seeds or more, else the smallest and the largest.
fn band(scores: &[f64]) -> Option<(f64, f64)> {
    if scores.len() > 2 {
        let interval = t_interval(scores, 0.95)?;
        return Some((interval.low, interval.high));
    }
    Some((scores.iter().copied().reduce(f64::min)?, scores.iter().copied().reduce(f64::max)?))
}
