//! The report as Markdown, and the table for the terminal.

use crate::grid::Grid;
use crate::html::{compared, revision};
use crate::summary::{Summary, summary};
use crate::table::{Cell, Table, TableRow, markdown_text};
use crate::write::{decimals, score};
use crate::{
    Estimate, FIGURE_FILE, Results, figure_svg, glossary, machine, names, retrieval, samples,
    tables,
};

/// The report as Markdown. It shows the main figure from the file [`FIGURE_FILE`] beside it, see
/// [`figure_svg`].
#[must_use]
pub fn markdown(results: &Results) -> String {
    let (grid, summary) = (Grid::new(results), summary(results));
    let corner = grid.axes_label();
    let name = if results.name.is_empty() { "Experiment" } else { &results.name };
    let mut out = format!("# {}\n\n", markdown_text(name));
    if !results.question.is_empty() {
        out.push_str(&format!("*{}*\n\n", markdown_text(&results.question)));
    }
    out.push_str(&format!("{}\n\n", markdown_text(&summary.verdict.join(" "))));
    if !figure_svg(results).is_empty() {
        out.push_str(&format!(
            "![{}]({FIGURE_FILE})\n\n",
            markdown_text(&names::long(&results.primary))
        ));
    }
    let mut number = 0;
    let mut section = |out: &mut String, title: &str, tables: &[Table]| {
        let shown: Vec<&Table> = tables.iter().filter(|table| !table.is_empty()).collect();
        if !shown.is_empty() && !title.is_empty() {
            out.push_str(&format!("## {title}\n\n"));
        }
        for table in shown {
            number += 1;
            out.push_str(&table.markdown(number));
        }
    };
    section(&mut out, "Main result", &[tables::results(&summary, &corner)]);
    section(&mut out, "Comparisons", &compared(&grid, &summary));
    section(&mut out, "By kind of question", &[tables::kinds(&summary, &corner)]);
    section(&mut out, "By group of pictures", &[tables::groups(&summary, &corner)]);
    section(&mut out, "Controls", &tables::controls(&summary, &corner));
    let both =
        [retrieval::retrieval(results, &summary, &corner), tables::captions(&summary, &corner)];
    section(&mut out, "Retrieval and captions", &both);
    if !results.samples.is_empty() {
        out.push_str("## Samples\n\n");
        out.push_str(&samples::markdown(&results.samples));
    }
    if !results.flips.is_empty() {
        out.push_str("## What flipped\n\n");
        out.push_str(&samples::flips_markdown(&results.flips));
    }
    section(&mut out, "Cost", &[machine::cells(&grid)]);
    list(
        &mut out,
        "",
        machine::facts(results).into_iter().map(|(name, text)| (name.to_owned(), text)).collect(),
    );
    section(&mut out, "Frozen parts", &[machine::frozen(results)]);
    list(
        &mut out,
        "Notes",
        notes(results, &summary).into_iter().map(|note| (String::new(), note)).collect(),
    );
    if !results.command.is_empty() {
        // A fence longer than any in the command cannot be closed by it.
        out.push_str(&format!(
            "## Reproduce\n\n`````sh\n{}\n`````\n\n{}\n\n",
            results.command,
            markdown_text(&revision(results))
        ));
    }
    list(&mut out, "Terms", glossary::terms(results, &summary));
    out
}

fn list(out: &mut String, title: &str, entries: Vec<(String, String)>) {
    if entries.is_empty() {
        return;
    }
    if !title.is_empty() {
        out.push_str(&format!("## {title}\n\n"));
    }
    for (term, text) in entries {
        let term = if term.is_empty() { term } else { format!("{}: ", markdown_text(&term)) };
        out.push_str(&format!("- {term}{}\n", markdown_text(&text)));
    }
    out.push('\n');
}

/// The main scores as aligned text: `mean ± half-width` of the 95% t-interval over seeds.
#[must_use]
pub fn table(results: &Results) -> String {
    let (grid, summary) = (Grid::new(results), summary(results));
    let cell = |key: &String, found: Option<&Estimate>| {
        let Some(found) = found else { return Cell::new("–") };
        let mean = score(key, found.mean);
        let places = mean.split_once('.').map_or(0, |(_, places)| places.len());
        match found.high {
            Some(high) => Cell::new(format!("{mean} ± {}", decimals(high - found.mean, places))),
            None => Cell::new(mean),
        }
    };
    let row = |row: &crate::RowSummary| TableRow {
        head: row.label.clone(),
        cells: std::iter::once(Cell::new(row.seeds.len().to_string()))
            .chain(summary.metrics.iter().map(|key| cell(key, row.scores.get(key))))
            .collect(),
        rule: false,
    };
    let metrics =
        summary.metrics.iter().map(|key| format!("{}{}", names::short(key), names::unit(key)));
    let table = Table {
        corner: grid.axes_label(),
        head: std::iter::once("seeds".to_owned()).chain(metrics).collect(),
        rows: summary.rows.iter().map(row).collect(),
        ..Table::default()
    };
    let missing =
        summary.missing().into_iter().map(|line| line.replace(char::is_control, " ") + "\n");
    std::iter::once(table.plain()).chain(missing).collect()
}

/// Lists what a reader should know: first why scores are missing.
pub(crate) fn notes(results: &Results, summary: &Summary) -> Vec<String> {
    summary.missing().into_iter().chain(results.notes.iter().cloned()).collect()
}
