//! Experiments: from a TOML file to a report.
//!
//! | module | purpose |
//! |---|---|
//! | [`experiment`] | the experiment file: keys, ranges, cells |
//! | [`plan`] | models, data and cells of a run, and their cost |
//! | [`run`] | the run folder, its jobs, the run as numbered steps |
//! | [`work`] | the jobs: features, stage 1, stage 2, evaluation, pre-training |
//! | [`results`] | the results of all cells, joined for the report |
//! | [`compare`] | two runs, or two evaluations, compared |
//! | [`capfilt`] | captions that a model draws, filtered by how well they match |
//! | [`mod@bench`] | speed of the pieces of a run |
//!
//! A run is prepared, which checks the file, cards and data, and then carried out:
//!
//! ```
//! use toolkit_lab::run::{Run, RunOptions};
//! use toolkit_registry::{Registry, Source};
//!
//! let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../experiments/ablate_losses.toml");
//! let text = std::fs::read_to_string(file).expect("the file is in the repository");
//! let source = Source::new("ablate_losses.toml", text)?;
//! let options = RunOptions { smoke: true, ..RunOptions::default() };
//! let run = Run::sketch(source, &Registry::builtin(), &options)?;
//! assert!(run.estimate.cells > 1);
//! # Ok::<(), toolkit_lab::LabError>(())
//! ```

pub mod bench;
pub mod capfilt;
pub mod compare;
mod error;
pub mod experiment;
pub(crate) mod files;
pub mod plan;
pub mod results;
pub mod run;
pub mod work;

pub use error::LabError;
/// Reports, re-exported for programs that show what a run returns.
pub use toolkit_report as report;
pub use toolkit_system::progress::Reporter;
