//! The report as Markdown.

use crate::stats::grid::Grid;
use crate::stats::summary::Summary;
use crate::text::differences::compared;
use crate::text::notes::{notes, revision};
use crate::text::table::{Table, markdown_text};
use crate::text::{cost, glossary, retrieval, samples, tables};
use crate::{FIGURE_FILE, Results, figure_svg, names, summary};

/// Writes the report as Markdown. It refers to the main figure by the name [`FIGURE_FILE`], see
/// [`figure_svg`].
#[must_use]
pub fn markdown(results: &Results) -> String {
    let (grid, summary) = (Grid::new(results), summary(results));
    let mut document = Document::default();
    opening(&mut document, results, &summary);
    scores(&mut document, results, &grid, &summary);
    if !results.samples.is_empty() {
        document.heading("Samples");
        document.text.push_str(&samples::markdown(&results.samples));
    }
    if !results.flips.is_empty() {
        document.heading("What flipped");
        document.text.push_str(&samples::flips_markdown(&results.flips));
    }
    closing(&mut document, results, &grid, &summary);
    document.text
}

/// A document under construction.
#[derive(Default)]
struct Document {
    text: String,
    /// Number of tables so far.
    tables: usize,
}

impl Document {
    fn heading(&mut self, title: &str) {
        self.text.push_str(&format!("## {title}\n\n"));
    }

    fn paragraph(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push_str("\n\n");
    }

    /// Adds a section of tables; nothing if all are empty.
    fn section(&mut self, title: &str, tables: &[Table]) {
        let filled: Vec<&Table> = tables.iter().filter(|table| !table.is_empty()).collect();
        if !filled.is_empty() {
            self.heading(title);
        }
        for table in filled {
            self.tables += 1;
            self.text.push_str(&table.markdown(self.tables));
        }
    }

    /// Adds a list of terms and texts, under a title if there is one; nothing if it is empty.
    fn list(&mut self, title: &str, entries: Vec<(String, String)>) {
        if entries.is_empty() {
            return;
        }
        if !title.is_empty() {
            self.heading(title);
        }
        for (term, text) in entries {
            let term = if term.is_empty() { term } else { format!("{}: ", markdown_text(&term)) };
            self.text.push_str(&format!("- {term}{}\n", markdown_text(&text)));
        }
        self.text.push('\n');
    }
}

/// Adds title, question, verdict and main figure.
fn opening(document: &mut Document, results: &Results, summary: &Summary) {
    let name = if results.name.is_empty() { "Experiment" } else { &results.name };
    document.paragraph(&format!("# {}", markdown_text(name)));
    if !results.question.is_empty() {
        document.paragraph(&format!("*{}*", markdown_text(&results.question)));
    }
    document.paragraph(&markdown_text(&summary.verdict.join(" ")));
    if !figure_svg(results).is_empty() {
        let title = markdown_text(&names::long(&results.primary));
        document.paragraph(&format!("![{title}]({FIGURE_FILE})"));
    }
}

/// Adds the tables of scores and comparisons.
fn scores(document: &mut Document, results: &Results, grid: &Grid, summary: &Summary) {
    let corner = grid.axes_label();
    document.section("Main result", &[tables::results(summary, &corner)]);
    document.section("Comparisons", &compared(grid, summary));
    document.section("By kind of question", &[tables::kinds(summary, &corner)]);
    document.section("By group of pictures", &[tables::groups(summary, &corner)]);
    document.section("Controls", &tables::controls(summary, &corner));
    let both =
        [retrieval::retrieval(results, summary, &corner), tables::captions(summary, &corner)];
    document.section("Retrieval and captions", &both);
}

/// Adds cost, frozen parts, notes, the command and the terms.
fn closing(document: &mut Document, results: &Results, grid: &Grid, summary: &Summary) {
    document.section("Cost", &[cost::cells(grid)]);
    let facts = cost::facts(results).into_iter().map(|(name, text)| (name.to_owned(), text));
    document.list("", facts.collect());
    document.section("Frozen parts", &[cost::frozen(results)]);
    let notes = notes(results, summary).into_iter().map(|note| (String::new(), note));
    document.list("Notes", notes.collect());
    if !results.command.is_empty() {
        document.heading("Reproduce");
        // A fence longer than any in the command cannot be closed by it.
        document.paragraph(&format!("`````sh\n{}\n`````", results.command));
        document.paragraph(&markdown_text(&revision(results)));
    }
    document.list("Terms", glossary::terms(results, summary));
}
