//! Experiments: from a TOML file to a report.

pub mod bench;
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

use toolkit_system::progress::Progress;

/// Told what goes on; the command line shows progress bars.
pub trait Reporter: Sync {
    /// A piece of work with steps of its own.
    fn task(&self, name: &str) -> Box<dyn Progress + Send>;
    /// A line for the log.
    fn note(&self, line: &str);
}
