//! Reports of experiments: [`Results`] as a page, as Markdown, as a figure and as a table.
//!
//! The page of [`html`] is self-contained and needs no scripts. The text of [`markdown`] refers to
//! the file of [`figure_svg`]. [`summary`] computes the statistics that all of them print. A report
//! leaves out everything that the experiment did not measure.
//!
//! Two kinds of uncertainty are kept apart throughout: over seeds (would training again give the
//! same?) and over questions (would these models answer other questions the same?).
//!
//! | module | purpose |
//! |---|---|
//! | `results` | the input: scores, curves, losses, samples and costs, as in `results.json` |
//! | `names` | names and units of scores |
//! | `stats` | rows, curves and paired comparisons |
//! | `draw` | figures as SVG |
//! | `text` | tables, verdict, notes |
//! | `page` | the finished documents |
//! | `summarise` | from results to statistics |
//!
//! ```
//! use toolkit_report::{Axis, CellResult, Results, summary, table};
//!
//! let cell = |value: &str, seed, accuracy| CellResult {
//!     seed,
//!     axes: [("stage1.enabled".to_owned(), value.to_owned())].into(),
//!     scores: [("vqa.overall".to_owned(), accuracy)].into(),
//!     ..CellResult::default()
//! };
//! let results = Results {
//!     name: "ablation".to_owned(),
//!     primary: "vqa.overall".to_owned(),
//!     axes: vec![Axis {
//!         key: "stage1.enabled".to_owned(),
//!         label: "stage 1".to_owned(),
//!         values: vec!["true".to_owned(), "false".to_owned()],
//!     }],
//!     cells: vec![
//!         cell("true", 1, 64.0),
//!         cell("true", 2, 62.0),
//!         cell("false", 1, 60.0),
//!         cell("false", 2, 59.0),
//!     ],
//!     ..Results::default()
//! };
//!
//! // Seed by seed the difference is 4 and 3 points.
//! let effect = &summary(&results).effects[0];
//! assert_eq!((effect.difference, effect.seeds), (3.5, 2));
//! assert!(table(&results).contains("stage 1 on"));
//! ```

mod draw;
mod names;
mod page;
mod results;
mod stats;
mod summarise;
mod text;

pub use page::html::html;
pub use page::markdown::markdown;
pub use page::terminal::table;
pub use results::{
    Axis, CellResult, CurvePoint, Flips, FrozenPart, Results, RunCost, SampleOutput, SamplePicture,
    StageAlert, StageRun,
};
pub use stats::summary::{Comparison, RowSummary, SeedMean, Summary};
pub use summarise::summary;

/// Name of the file beside `report.md` that holds the figure of [`figure_svg`].
pub const FIGURE_FILE: &str = "figure.svg";

/// Draws the main figure as an SVG file with its own colours. Empty if the primary score was
/// measured nowhere.
///
/// ```
/// use toolkit_report::{CellResult, Results, figure_svg};
///
/// let cell = |seed, accuracy| CellResult {
///     seed,
///     scores: [("vqa.overall".to_owned(), accuracy)].into(),
///     ..CellResult::default()
/// };
/// let results = Results {
///     primary: "vqa.overall".to_owned(),
///     cells: vec![cell(1, 64.0), cell(2, 62.0)],
///     ..Results::default()
/// };
/// assert!(figure_svg(&results).contains("<svg"));
/// assert!(figure_svg(&Results::default()).is_empty());
/// ```
#[must_use]
pub fn figure_svg(results: &Results) -> String {
    let grid = stats::grid::Grid::new(results);
    draw::main_figure(results, &grid, draw::paint::Paint::File)
        .map_or_else(String::new, |figure| figure.svg)
}
