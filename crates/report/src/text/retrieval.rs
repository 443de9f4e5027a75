//! The table of retrieval, with chance, after all training and after the first stage.

use crate::Results;
use crate::names;
use crate::stats::summary::{SeedMean, Summary};
use crate::text::table::{Emphasis, Table, TableCell, TableRow};
use crate::text::tables::{estimates, interval_note};
use crate::text::write::score;
use std::collections::BTreeMap;
use toolkit_metrics::scores::{self, Unit};
use toolkit_metrics::{mean, t_interval};

/// Scores of a kind of run: name, and estimates by key.
type Scored = (String, BTreeMap<String, SeedMean>);

/// Recall of both directions. Empty if nothing was retrieved.
pub(crate) fn retrieval(results: &Results, summary: &Summary, corner: &str) -> Table {
    let is_retrieval = |key: &String| key.starts_with("retrieval.");
    let of_rows = summary.rows.iter().map(|row| (row.label.clone(), row.scores.clone()));
    let after: Vec<Scored> =
        stages(results).into_iter().filter(|(_, scores)| scores.keys().any(is_retrieval)).collect();
    // Rows that share a stage-1 run have its scores; once is enough.
    let rows: Vec<Scored> =
        of_rows.filter(|(_, scores)| after.is_empty() && scores.keys().any(is_retrieval)).collect();
    let all: Vec<(&str, &BTreeMap<String, SeedMean>)> =
        rows.iter().chain(&after).map(|(label, scores)| (label.as_str(), scores)).collect();
    let mut keys: Vec<&String> =
        all.iter().flat_map(|(_, scores)| scores.keys()).filter(|key| is_retrieval(key)).collect();
    keys.sort_by_key(|key| order(key));
    keys.dedup();
    let columns: Vec<(String, String)> = keys
        .iter()
        .filter(|key| !key.contains(".chance.") && is_column(key))
        .map(|key| ((*key).clone(), names::short(key)))
        .collect();
    let mut table = estimates(&all, corner, &columns);
    table.caption = format!(
        "Retrieval, recall (%) among all test captions or pictures{}.",
        interval_note(summary)
    );
    if let (Some(row), false) = (table.rows.get_mut(rows.len()), rows.is_empty()) {
        row.rule = true;
        // Rows of different stages do not compete.
        table
            .rows
            .iter_mut()
            .flat_map(|row| &mut row.cells)
            .for_each(|cell| cell.emphasis = Emphasis::None);
    }
    let chance = |key: &str| {
        let key = format!("retrieval.chance.{}", rank(key));
        let values: Vec<f64> =
            all.iter().filter_map(|(_, scores)| scores.get(&key)).map(|e| e.mean).collect();
        mean(&values)
    };
    let chances: Vec<Option<f64>> = columns.iter().map(|(key, _)| chance(key)).collect();
    if chances.iter().any(Option::is_some) {
        let cells = columns
            .iter()
            .zip(&chances)
            .map(|((key, _), v)| TableCell::new(v.map_or("–".to_owned(), |v| score(key, v))));
        table.rows.push(TableRow { head: "chance".to_owned(), cells: cells.collect(), rule: true });
    }
    table
}

/// Returns `true` for a score that the table has a column for: means over ranks and the number of
/// images have none.
fn is_column(key: &str) -> bool {
    !key.ends_with("r_mean") && scores::unit(key) == Unit::Percent
}

/// Returns `r1` of `retrieval.itc.txt_r1`.
fn rank(key: &str) -> &str {
    key.rsplit(['.', '_']).next().unwrap_or_default()
}

/// Method, then text before image, then rank by its number.
fn order(key: &str) -> (String, bool, u32, String) {
    let (method, column) = key.rsplit_once('.').unwrap_or(("", key));
    let number = rank(key).trim_start_matches('r').parse().unwrap_or(0);
    (method.to_owned(), column.starts_with("img"), number, key.to_owned())
}

/// The scores after each kind of stage run, averaged over seeds.
fn stages(results: &Results) -> Vec<Scored> {
    let mut kinds: Vec<(String, BTreeMap<String, Vec<f64>>)> = Vec::new();
    for run in results.stages.iter().filter(|run| !run.scores.is_empty()) {
        let name = match run.label.as_str() {
            "" => format!("after {}", run.name),
            label => format!("after {}: {label}", run.name),
        };
        let at = kinds.iter().position(|(known, _)| *known == name).unwrap_or(kinds.len());
        if at == kinds.len() {
            kinds.push((name, BTreeMap::new()));
        }
        for (key, value) in run.scores.iter().filter(|(_, value)| value.is_finite()) {
            kinds[at].1.entry(key.clone()).or_default().push(*value);
        }
    }
    let estimate = |values: Vec<f64>| {
        let interval = t_interval(&values, 0.95);
        let (low, high) = (interval.map(|i| i.low), interval.map(|i| i.high));
        Some(SeedMean { mean: mean(&values)?, low, high, values })
    };
    let estimated = |(name, scores): (String, BTreeMap<String, Vec<f64>>)| {
        (
            name,
            scores.into_iter().filter_map(|(key, values)| Some((key, estimate(values)?))).collect(),
        )
    };
    kinds.into_iter().map(estimated).collect()
}
