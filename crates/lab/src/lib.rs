//! Experiments: from a TOML file to a report.

pub mod bench;
pub mod compare;
pub mod experiment;
pub mod plan;
pub mod results;
pub mod run;
pub mod work;

/// Reports, re-exported for programs that show what a run returns.
pub use toolkit_report as report;

use toolkit_registry::{CardError, LoadError};
use toolkit_system::progress::Progress;
use toolkit_train::TrainError;

/// Told what goes on; the command line shows progress bars.
pub trait Reporter: Sync {
    /// A piece of work with steps of its own.
    fn task(&self, name: &str) -> Box<dyn Progress + Send>;
    /// A line for the log.
    fn note(&self, line: &str);
}

/// Why an experiment cannot be run or went wrong.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A TOML file is wrong.
    #[error(transparent)]
    Card(#[from] CardError),
    /// Weights cannot be read or written.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Training stopped.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// Data cannot be used.
    #[error(transparent)]
    Data(#[from] toolkit_data::DataError),
    /// Evaluation stopped.
    #[error(transparent)]
    Eval(#[from] toolkit_eval::EvalError),
    /// In a job of a run.
    #[error("{job}: {error}")]
    Job {
        /// Its name.
        job: String,
        /// What happened.
        error: Box<LabError>,
    },
    /// Anything else.
    #[error("{what}; hint: {hint}")]
    Other {
        /// What and where.
        what: String,
        /// What to try.
        hint: String,
    },
}

impl From<run::workers::Panicked> for LabError {
    fn from(panic: run::workers::Panicked) -> Self {
        Self::new(
            format!("it panicked: {}", panic.0),
            "this is a defect: please report it with the command and the file",
        )
    }
}

impl LabError {
    /// An error with a hint.
    pub fn new(what: impl Into<String>, hint: &str) -> Self {
        Self::Other { what: what.into(), hint: hint.to_owned() }
    }
    /// The file system refused.
    pub fn io(path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::Train(TrainError::io(path, error))
    }
    fn in_job(self, job: &str) -> Self {
        Self::Job { job: job.to_owned(), error: Box::new(self) }
    }
}
