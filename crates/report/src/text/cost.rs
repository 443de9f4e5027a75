//! Facts and tables of what an experiment cost, and of the parts that were not trained.

use crate::Results;
use crate::names;
use crate::stats::grid::{Grid, GridRow};
use crate::text::table::{Table, TableCell, TableRow};
use crate::text::write::{bytes, count, score, seconds};
use toolkit_metrics::mean;

/// Name and text of the facts about the run.
pub(crate) fn facts(results: &Results) -> Vec<(&'static str, String)> {
    let cost = &results.cost;
    let known = |value: f64| if value > 0.0 { seconds(value) } else { String::new() };
    let memory = if cost.peak_rss_bytes > 0 { bytes(cost.peak_rss_bytes) } else { String::new() };
    let mut facts = vec![
        ("wall time", known(cost.wall_seconds)),
        ("processor time", known(cost.cpu_seconds)),
        ("peak memory", memory),
        ("device", results.device.clone()),
        (
            "toolkit",
            [results.toolkit_version.as_str(), results.git.as_str()].join(" ").trim().to_owned(),
        ),
        ("date", results.created.clone()),
    ];
    facts.retain(|(_, text)| !text.is_empty());
    facts
}

/// Time and trained parameters of each row.
pub(crate) fn cells(grid: &Grid) -> Table {
    let row = |row: &GridRow| {
        let time =
            mean(&row.cells.iter().map(|cell| cell.seconds).collect::<Vec<_>>()).unwrap_or(0.0);
        let params = row.cells.iter().map(|cell| cell.trained_params).max().unwrap_or(0);
        let seeds: Vec<String> = row.seeds().iter().map(u64::to_string).collect();
        let params = if params == 0 { "–".to_owned() } else { count(params) };
        let time = if time > 0.0 { seconds(time) } else { "–".to_owned() };
        TableRow {
            head: grid.label(&row.at),
            cells: [seeds.join(", "), time, params].into_iter().map(TableCell::new).collect(),
            rule: false,
        }
    };
    Table {
        caption: "Cost of one model of each row, mean over seeds.".to_owned(),
        corner: grid.axes_label(),
        head: ["seeds", "time", "trained parameters"].map(str::to_owned).to_vec(),
        rows: grid.rows.iter().map(row).collect(),
        words: false,
    }
}

/// The parts that were not trained.
pub(crate) fn frozen(results: &Results) -> Table {
    let row = |part: &crate::FrozenPart| {
        let scores: Vec<String> = part
            .scores
            .iter()
            .map(|(key, value)| {
                format!(
                    "{} {}{}",
                    names::short(key),
                    score(key, *value),
                    names::unit(key).replace([' ', '(', ')'], "")
                )
            })
            .collect();
        let digest: String = part.sha256.chars().take(16).collect();
        TableRow {
            head: part.role.clone(),
            cells: [part.name.clone(), count(part.params), digest, scores.join(", ")]
                .into_iter()
                .map(TableCell::new)
                .collect(),
            rule: false,
        }
    };
    Table {
        caption:
            "Frozen parts: their weights are the same in every row and were not trained here. \
            SHA-256: first 16 digits."
                .to_owned(),
        corner: "role".to_owned(),
        head: ["card", "parameters", "SHA-256", "scores before this experiment"]
            .map(str::to_owned)
            .to_vec(),
        rows: results.frozen.iter().map(row).collect(),
        words: true,
    }
}
