//! Training: one loop, the objectives of the stages, optimiser, schedule, checkpoints.

pub mod checkpoint;
mod feature_file;
mod feature_header;
pub mod features;
pub mod fit;
pub mod log;
pub mod losses;
mod mapped;
pub mod optim;
pub mod order;
pub mod pretrain;
mod recipe;
pub mod schedule;
pub mod stage1;
pub mod stage2;
mod text;

/// Why training stopped.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A loss or gradient is not a number.
    #[error(
        "{what} at step {step}, samples {samples:?}; hint: lower `schedule.peak`, lengthen \
        `schedule.warmup`, or look at these samples"
    )]
    NonFinite {
        /// Which value.
        what: String,
        /// The step, from 0.
        step: u64,
        /// Indices of the batch in the training split.
        samples: Vec<usize>,
    },
    /// A checkpoint cannot be used.
    #[error(
        "checkpoint {path}: {what}; hint: remove its folder to train again, or point to the run it \
        belongs to"
    )]
    BadCheckpoint {
        /// The file.
        path: String,
        /// What is wrong.
        what: String,
    },
    /// A block of cached features is not what was written.
    #[error(
        "{path}: {what}; hint: the same command computes these images again; if it comes back, \
        look at the disk"
    )]
    DamagedFeatures {
        /// The file.
        path: String,
        /// The block, its images, both hashes.
        what: String,
    },
    /// The file system refused.
    #[error("{path}: {what}; hint: check free space and permissions")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        what: String,
    },
    /// Data cannot be used.
    #[error(transparent)]
    Data(#[from] toolkit_data::DataError),
    /// Any other problem.
    #[error(transparent)]
    Problem(#[from] toolkit_system::problem::Problem),
    /// Anything else, already worded.
    #[error("{0}")]
    Other(String),
}

impl TrainError {
    /// An [`TrainError::Io`] for `path`.
    pub fn io(path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::Io { path: path.display().to_string(), what: error.to_string() }
    }
}
