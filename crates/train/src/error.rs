//! The error of training.

use std::fmt::{Display, Formatter};
use toolkit_data::DataError;
use toolkit_models::weights::WeightsError;
use toolkit_system::files::FileError;
use toolkit_system::problem::Problem;

/// An error that ends a training.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A loss or gradient is not a finite number.
    NonFinite {
        /// Name and value.
        what: String,
        /// Step, from 0.
        step: u64,
        /// Indices of the batch in the training split.
        samples: Vec<usize>,
    },
    /// A checkpoint is damaged or of another run.
    BadCheckpoint {
        /// File.
        path: String,
        /// Fault.
        what: String,
    },
    /// A block of cached features is not as it was written.
    DamagedFeatures {
        /// File.
        path: String,
        /// The block, its images, and both hashes.
        what: String,
    },
    /// Data cannot be used.
    Data(#[from] DataError),
    /// Weights cannot be written.
    Weights(#[from] WeightsError),
    /// Any other problem.
    Problem(#[from] Problem),
}

impl Display for TrainError {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let problem = match self {
            Self::NonFinite { what, step, samples } => Problem::new(format_args!(
                "{what} at step {step}, samples {samples:?}"
            ))
            .hint("lower `schedule.peak`, lengthen `schedule.warmup`, or look at these samples"),
            Self::BadCheckpoint { path, what } => {
                Problem::new(format_args!("checkpoint {path}: {what}"))
                    .hint("remove its folder to train again, or point to the run it belongs to")
            }
            Self::DamagedFeatures { path, what } => Problem::new(format_args!("{path}: {what}"))
                .hint(
                    "the same command computes these images again; if it comes back, look at the \
                    disk",
                ),
            Self::Data(error) => return error.fmt(f),
            Self::Weights(error) => return error.fmt(f),
            Self::Problem(problem) => return problem.fmt(f),
        };
        problem.fmt(f)
    }
}

impl From<FileError> for TrainError {
    fn from(error: FileError) -> Self {
        Problem::from(error).into()
    }
}
