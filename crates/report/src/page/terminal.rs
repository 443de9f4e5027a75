//! The main scores as a table for the terminal.

use crate::stats::grid::Grid;
use crate::stats::summary::{RowSummary, SeedMean};
use crate::text::cells::head;
use crate::text::notes::missing;
use crate::text::table::{Table, TableCell, TableRow};
use crate::text::write::{decimals, score};
use crate::{Results, summary};

/// Writes the main scores as aligned text: `mean ± half-width` of the 95% t-interval over seeds.
#[must_use]
pub fn table(results: &Results) -> String {
    let (grid, summary) = (Grid::new(results), summary(results));
    let cell = |key: &String, found: Option<&SeedMean>| {
        let Some(found) = found else { return TableCell::new("–") };
        let mean = score(key, found.mean);
        let places = mean.split_once('.').map_or(0, |(_, places)| places.len());
        match found.high {
            Some(high) => {
                TableCell::new(format!("{mean} ± {}", decimals(high - found.mean, places)))
            }
            None => TableCell::new(mean),
        }
    };
    let row = |row: &RowSummary| TableRow {
        head: row.label.clone(),
        cells: std::iter::once(TableCell::new(row.seeds.len().to_string()))
            .chain(summary.metrics.iter().map(|key| cell(key, row.scores.get(key))))
            .collect(),
        rule: false,
    };
    let metrics = summary.metrics.iter().map(|key| head(key));
    let table = Table {
        corner: grid.axes_label(),
        head: std::iter::once("seeds".to_owned()).chain(metrics).collect(),
        rows: summary.rows.iter().map(row).collect(),
        ..Table::default()
    };
    let missing =
        missing(&summary).into_iter().map(|line| line.replace(char::is_control, " ") + "\n");
    std::iter::once(table.plain()).chain(missing).collect()
}
