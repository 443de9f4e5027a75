//! Paired comparisons of rows: over seeds, over questions, and corrected for their number.

use crate::stats::grid::{Grid, GridRow};
use crate::stats::summary::Comparison;
use toolkit_metrics::{bootstrap, holm, mean, paired_permutation, paired_t};

/// The place of a row and of the one it is compared with.
pub(crate) type Pair = (Vec<usize>, Vec<usize>);

/// Swaps of the permutation test and draws of the bootstrap.
const PERMUTATIONS: usize = 10_000;
const RESAMPLES: usize = 2_000;
/// Seed of both: the same results give the same report.
const SEED: u64 = 1;

/// Compares every pair in every score; Holm's correction counts the comparisons in the same score.
pub(crate) fn compare(grid: &Grid, metrics: &[String], pairs: &[Pair]) -> Vec<Comparison> {
    let mut all = Vec::new();
    for metric in metrics {
        let mut family: Vec<Comparison> =
            pairs.iter().filter_map(|pair| one(grid, metric, pair)).collect();
        correct(&mut family, |c| c.p_seeds, |c, p| c.p_seeds_holm = Some(p));
        correct(&mut family, |c| c.p_questions, |c, p| c.p_questions_holm = Some(p));
        all.append(&mut family);
    }
    all
}

fn correct(
    family: &mut [Comparison],
    get: impl Fn(&Comparison) -> Option<f64>,
    set: impl Fn(&mut Comparison, f64),
) {
    let values: Vec<f64> = family.iter().filter_map(&get).collect();
    let tested = family.iter_mut().filter(|comparison| get(comparison).is_some());
    for (comparison, corrected) in tested.zip(holm(&values)) {
        set(comparison, corrected);
    }
}

fn one(grid: &Grid, metric: &str, (at, against): &Pair) -> Option<Comparison> {
    let (row, other) = (grid.row(at)?, grid.row(against)?);
    let mut found = Comparison {
        metric: metric.to_owned(),
        row: grid.label(at),
        against: grid.label(against),
        axes: grid.values(at),
        against_axes: grid.values(against),
        ..Comparison::default()
    };
    if row.panel() == other.panel() {
        found.context = grid.panel_label(row.panel());
        found.row = grid.first_label(at);
        found.against = grid.first_label(against);
    }
    over_seeds(&mut found, row, other)?;
    over_questions(&mut found, row, other);
    Some(found)
}

/// The difference of the means over the seeds that both have, or over all if they share none.
fn over_seeds(found: &mut Comparison, row: &GridRow, other: &GridRow) -> Option<()> {
    let (a, b) = (row.by_seed(&found.metric), other.by_seed(&found.metric));
    let (left, right): (Vec<f64>, Vec<f64>) =
        a.iter().filter_map(|(seed, value)| Some((*value, *b.get(seed)?))).unzip();
    found.seeds = left.len();
    if left.is_empty() {
        found.mean = mean(&a.into_values().collect::<Vec<_>>())?;
        found.against_mean = mean(&b.into_values().collect::<Vec<_>>())?;
    } else {
        found.mean = mean(&left)?;
        found.against_mean = mean(&right)?;
    }
    found.difference = found.mean - found.against_mean;
    if let Some(test) = paired_t(&left, &right) {
        found.low = Some(test.difference.low);
        found.high = Some(test.difference.high);
        found.p_seeds = Some(test.p);
    }
    Some(())
}

fn over_questions(found: &mut Comparison, row: &GridRow, other: &GridRow) {
    // The seeds that the difference is over.
    let shared = row.seeds().intersection(&other.seeds()).copied().collect();
    let questions = |of: &GridRow| of.questions(&found.metric, &shared);
    let (Some((a, images)), Some((b, other_images))) = (questions(row), questions(other)) else {
        return;
    };
    if images != other_images {
        return;
    }
    found.questions = a.len();
    let mut distinct = images.clone();
    distinct.sort_unstable();
    distinct.dedup();
    found.images = distinct.len();
    found.p_questions = Some(paired_permutation(&a, &b, Some(&images), PERMUTATIONS, SEED));
    let Some(scale) = scale(found, row, &a) else { return };
    let differences: Vec<f64> = a.iter().zip(&b).map(|(a, b)| (a - b) * scale).collect();
    if let Some(interval) = bootstrap(&differences, Some(&images), RESAMPLES, SEED) {
        found.questions_low = Some(interval.low);
        found.questions_high = Some(interval.high);
    }
}

/// Finds the factor from scores of questions to the unit of the final score: 1, or 100 if they go
/// up to
/// 1. `None` if the final score is no mean over questions.
fn scale(found: &Comparison, row: &GridRow, questions: &[f64]) -> Option<f64> {
    let finals: Vec<f64> = row.by_seed(&found.metric).into_values().collect();
    let (overall, of_questions) = (mean(&finals)?, mean(questions)?);
    [100.0, 1.0]
        .into_iter()
        .find(|scale| (of_questions * scale - overall).abs() <= 0.005 * overall.abs() + 0.01)
}
