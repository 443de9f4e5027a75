//! The tables of scores.

use crate::names::{self, CONTROLS, GROUPS, control_key};
use crate::stats::summary::{Comparison, RowSummary, SeedMean, Summary};
use crate::text::cells::{Tests, difference, head};
use crate::text::table::{Emphasis, Table, TableCell, TableRow};
use crate::text::write::{capital, p, plural, score, signed};
use std::collections::BTreeMap;
use toolkit_metrics::scores::{self, Better};

/// The final scores of all rows, and what sets each apart from its baseline.
pub(crate) fn results(summary: &Summary, corner: &str) -> Table {
    let columns: Vec<(String, String)> =
        summary.metrics.iter().map(|key| (key.clone(), head(key))).collect();
    let mut table = with_columns(&rows(summary), corner, &columns.iter().collect::<Vec<_>>());
    table.caption = format!(
        "Results{}. Highest mean of each column in bold, whether or not it differs from others.",
        interval_note(summary)
    );
    let compared: Vec<&Comparison> =
        summary.comparisons.iter().filter(|c| c.metric == summary.primary).collect();
    if compared.is_empty() {
        return table;
    }
    table.caption.push_str(&format!(
        " Difference: in {}, from the baseline row.",
        names::long(&summary.primary)
    ));
    let tests = Tests::of(&compared);
    if tests.any() {
        let holm = if compared.len() > 1 { ", Holm-corrected" } else { "" };
        table.caption.push_str(&format!(" p: of the paired tests{holm}."));
    }
    table.head.push("difference".to_owned());
    table.head.extend(tests.pick(["p, seeds", "p, questions"].map(str::to_owned)));
    for (row, found) in table.rows.iter_mut().zip(&summary.rows) {
        let cells = match compared.iter().find(|c| c.axes == found.axes) {
            Some(c) => {
                (difference(c), [p(c.p_seeds_holm), p(c.p_questions_holm)].map(TableCell::new))
            }
            None if compared.iter().any(|c| c.against_axes == found.axes) => {
                (TableCell::new("baseline"), [TableCell::default(), TableCell::default()])
            }
            None => (TableCell::new("–"), [TableCell::new("–"), TableCell::new("–")]),
        };
        row.cells.push(cells.0);
        row.cells.extend(tests.pick(cells.1));
    }
    table
}

/// A score for each kind of question.
pub(crate) fn kinds(summary: &Summary, corner: &str) -> Table {
    let task = summary.primary.split('.').next().unwrap_or_default();
    let keys = keys(summary);
    let of = |task: &str| -> Vec<String> {
        keys.iter().filter(|key| key.starts_with(&format!("{task}.kind."))).cloned().collect()
    };
    let own = of(task);
    let keys = if own.is_empty() { of("vqa") } else { own };
    let columns: Vec<(String, String)> =
        keys.iter().map(|key| (key.clone(), names::short(key))).collect();
    let mut table = scores(summary, corner, &columns);
    table.caption = format!("Accuracy (%) by kind of question{}.", interval_note(summary));
    let average = |key: &String| {
        let means = summary
            .rows
            .iter()
            .filter_map(|row| row.scores.get(&control_key(key, scores::MAJORITY)));
        toolkit_metrics::mean(&means.map(|estimate| estimate.mean).collect::<Vec<_>>())
    };
    let majority: Vec<Option<f64>> = keys.iter().map(average).collect();
    if majority.iter().any(Option::is_some) {
        let cells = keys
            .iter()
            .zip(&majority)
            .map(|(key, value)| TableCell::new(value.map_or("–".to_owned(), |v| score(key, v))));
        table.rows.push(TableRow {
            head: "majority (no model)".to_owned(),
            cells: cells.collect(),
            rule: true,
        });
    }
    // Kinds are many, rows are often few: the longer side goes down the page.
    if table.rows.len() < table.head.len() { table.transposed("kind of question") } else { table }
}

/// The scores of seen things, new combinations and new things.
pub(crate) fn groups(summary: &Summary, corner: &str) -> Table {
    let task = summary.primary.split('.').next().unwrap_or("vqa").to_owned();
    let keys = keys(summary);
    let mut columns = Vec::new();
    for task in [task.as_str(), "vqa", "caption"] {
        for (group, name, _) in &GROUPS {
            let key = format!("{task}.group.{group}");
            if keys.contains(&key) && !columns.iter().any(|(known, _)| *known == key) {
                columns.push((key, (*name).to_owned()));
            }
        }
        if !columns.is_empty() {
            break;
        }
    }
    let mut table = scores(summary, corner, &columns);
    let what = columns.first().map_or("", |(key, _)| key.split('.').next().unwrap_or(""));
    let what = if what == "vqa" { "VQA accuracy (%)" } else { what };
    table.caption = format!("{} by group of pictures{}.", capital(what), interval_note(summary));
    table
}

/// For each main score with controls: the score with its image and under each control.
pub(crate) fn controls(summary: &Summary, corner: &str) -> Vec<Table> {
    let keys = keys(summary);
    let one = |metric: &String| {
        let present = CONTROLS
            .iter()
            .map(|(control, name, _)| (control_key(metric, control), (*name).to_owned()));
        let present: Vec<(String, String)> =
            present.filter(|(key, _)| keys.contains(key)).collect();
        let columns: Vec<(String, String)> =
            std::iter::once((metric.clone(), "its own image".to_owned()))
                .chain(present.clone())
                .collect();
        let mut table = scores(summary, corner, &columns);
        table
            .rows
            .iter_mut()
            .flat_map(|row| &mut row.cells)
            .for_each(|cell| cell.emphasis = Emphasis::None);
        table.caption = format!(
            "{}{} under the controls{}.",
            capital(&names::long(metric)),
            names::unit(metric),
            interval_note(summary)
        );
        for (control, name) in &present {
            table.head.push(format!("own − {name}"));
            for (row, found) in table.rows.iter_mut().zip(&summary.rows) {
                row.cells.push(gain(metric, found.scores.get(metric), found.scores.get(control)));
            }
        }
        (!present.is_empty()).then_some(table)
    };
    summary.metrics.iter().filter_map(one).collect()
}

/// Computes the gain of the own image over a control, seed by seed, with its interval over seeds.
fn gain(metric: &str, own: Option<&SeedMean>, control: Option<&SeedMean>) -> TableCell {
    let Some((own, control)) = own.zip(control).filter(|(a, b)| a.values.len() == b.values.len())
    else {
        return TableCell::new("–");
    };
    let gains: Vec<f64> = own.values.iter().zip(&control.values).map(|(a, b)| a - b).collect();
    let small = toolkit_metrics::t_interval(&gains, 0.95)
        .map(|i| format!("[{}, {}]", signed(metric, i.low), signed(metric, i.high)));
    TableCell {
        main: signed(metric, own.mean - control.mean),
        small: small.unwrap_or_default(),
        emphasis: Emphasis::None,
    }
}

/// Caption scores.
pub(crate) fn captions(summary: &Summary, corner: &str) -> Table {
    let keys = keys(summary);
    let known = |key: &&String| key.starts_with("caption.") && key.split('.').count() == 2;
    let columns: Vec<(String, String)> =
        keys.iter().filter(known).map(|key| (key.clone(), head(key))).collect();
    let mut table = scores(summary, corner, &columns);
    table.caption = format!("Captions{}.", interval_note(summary));
    table
}

/// Rows with the columns given (key and name). Columns that no row has are left out.
pub(crate) fn scores(summary: &Summary, corner: &str, columns: &[(String, String)]) -> Table {
    estimates(&rows(summary), corner, columns)
}

/// The rows with their scores.
fn rows(summary: &Summary) -> Vec<Scored<'_>> {
    summary.rows.iter().map(|row| (row.label.as_str(), &row.scores)).collect()
}

/// A row's name and scores.
pub(crate) type Scored<'a> = (&'a str, &'a BTreeMap<String, SeedMean>);

pub(crate) fn estimates(rows: &[Scored<'_>], corner: &str, columns: &[(String, String)]) -> Table {
    let there =
        |(key, _): &&(String, String)| rows.iter().any(|(_, scores)| scores.contains_key(key));
    with_columns(rows, corner, &columns.iter().filter(there).collect::<Vec<_>>())
}

/// Rows with all columns given; `–` where there is no score.
fn with_columns(rows: &[Scored<'_>], corner: &str, columns: &[&(String, String)]) -> Table {
    let best: Vec<Option<String>> = columns
        .iter()
        .map(|(key, _)| {
            let highest = rows
                .iter()
                .filter_map(|(_, scores)| scores.get(key))
                .map(|e| e.mean)
                .reduce(f64::max)?;
            let higher = scores::of(key).is_none_or(|score| score.better == Better::Higher);
            (rows.len() > 1 && higher).then(|| score(key, highest))
        })
        .collect();
    let line = |(label, scores): &Scored<'_>| {
        let cell = |(at, (key, _)): (usize, &&(String, String))| {
            let Some(found) = scores.get(key) else { return TableCell::new("–") };
            let small = match (found.low, found.high) {
                (Some(low), Some(high)) if low < high => {
                    format!("[{}, {}]", score(key, low), score(key, high))
                }
                _ => String::new(),
            };
            let main = score(key, found.mean);
            let emphasis =
                if best[at].as_ref() == Some(&main) { Emphasis::Best } else { Emphasis::None };
            TableCell { main, small, emphasis }
        };
        TableRow {
            head: (*label).to_owned(),
            cells: columns.iter().enumerate().map(cell).collect(),
            rule: false,
        }
    };
    Table {
        corner: corner.to_owned(),
        head: columns.iter().map(|(_, name)| name.clone()).collect(),
        rows: rows.iter().map(line).collect(),
        ..Table::default()
    }
}

/// Collects the keys of the scores that some row has, in order.
pub(crate) fn keys(summary: &Summary) -> Vec<String> {
    let mut keys: Vec<String> =
        summary.rows.iter().flat_map(|row: &RowSummary| row.scores.keys().cloned()).collect();
    keys.sort();
    keys.dedup();
    keys
}

/// Returns the end of a caption, which explains the numbers and the brackets.
pub(crate) fn interval_note(summary: &Summary) -> String {
    let seeds = summary.rows.iter().map(|row| row.seeds.len());
    let (least, most) = (seeds.clone().min().unwrap_or(0), seeds.max().unwrap_or(0));
    match (least, most) {
        (_, 0 | 1) => ", one seed each, so without intervals".to_owned(),
        (least, most) if least == most => {
            format!(", means over {} with 95% t-intervals in brackets", plural(most, "seed"))
        }
        (least, most) => {
            format!(", means over {least} to {most} seeds with 95% t-intervals in brackets")
        }
    }
}
