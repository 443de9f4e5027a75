//! The errors of experiments.

use crate::run::workers::Panicked;
use toolkit_models::weights::WeightsError;
use toolkit_system::files::FileError;
use toolkit_system::problem::Problem;
use toolkit_train::TrainError;

/// An error of an experiment: a file that cannot be run, or a run that stopped.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// Weights cannot be read or written.
    #[error(transparent)]
    Load(#[from] WeightsError),
    /// Training stopped.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// Data cannot be used.
    #[error(transparent)]
    Data(#[from] toolkit_data::DataError),
    /// A model cannot be used.
    #[error(transparent)]
    Vlm(#[from] toolkit_vlm::VlmError),
    /// Evaluation stopped.
    #[error(transparent)]
    Eval(#[from] toolkit_eval::EvalError),
    /// A job of a run failed.
    #[error("{job}: {error}")]
    Job {
        /// Name of the job.
        job: String,
        /// Error of the job.
        error: Box<LabError>,
    },
    /// Any other error, such as a TOML file that is wrong.
    #[error(transparent)]
    Problem(#[from] Problem),
}

impl From<Panicked> for LabError {
    fn from(panic: Panicked) -> Self {
        Problem::defect(format_args!("it panicked: {}", panic.0)).into()
    }
}

impl From<FileError> for LabError {
    fn from(error: FileError) -> Self {
        Problem::from(error).into()
    }
}

impl LabError {
    /// Creates an error with a hint.
    pub fn new(what: impl Into<String>, hint: &str) -> Self {
        Problem::new(what.into()).hint(hint).into()
    }

    /// Creates the error of a file or folder that the system refuses.
    pub fn io(path: &std::path::Path, error: &std::io::Error) -> Self {
        Problem::new(error).at(path.display()).hint("check free space and permissions").into()
    }

    /// Puts the name of the job before the error.
    pub(crate) fn in_job(self, job: &str) -> Self {
        Self::Job { job: job.to_owned(), error: Box::new(self) }
    }
}
