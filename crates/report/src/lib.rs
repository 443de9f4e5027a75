//! Reports of experiments: what was measured ([`Results`]) as a page, as Markdown, as a figure and
//! as a table.
//!
//! [`html`] is self-contained and needs no scripts; [`markdown`] refers to the file of
//! [`figure_svg`]. [`summary`] has the statistics that all of them print. Whatever an experiment
//! did not measure is left out.
//!
//! Two kinds of uncertainty are kept apart throughout: over seeds (would training again give the
//! same?) and over questions (would these models answer other questions the same?).

mod compare;
mod curves;
mod differences;
mod dots;
mod figure;
mod frame;
mod glossary;
mod grid;
mod html;
mod losses;
mod machine;
mod markdown;
mod names;
mod paint;
mod results;
mod retrieval;
mod samples;
mod summary;
mod svg;
mod table;
mod tables;
mod verdict;
mod write;

pub use html::html;
pub use markdown::{markdown, table};
pub use results::{
    Axis, CellResult, Cost, CurvePoint, Flips, FrozenPart, Results, SampleOutput, SamplePicture,
    StageRun,
};
pub use summary::{Comparison, Estimate, RowSummary, Summary, summary};

/// The file beside `report.md` that it depicts: what [`figure_svg`] gives.
pub const FIGURE_FILE: &str = "figure.svg";

/// The main figure as an SVG file with its own colours. Empty if the primary score was measured
/// nowhere.
#[must_use]
pub fn figure_svg(results: &Results) -> String {
    figure::main_figure(results, &grid::Grid::new(results), paint::Paint::File)
        .map_or_else(String::new, |found| found.svg)
}
