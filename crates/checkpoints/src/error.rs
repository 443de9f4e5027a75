//! The error of this crate: one line, with what, where and what to try.

use std::fmt::Display;
use std::path::Path;
use toolkit_models::weights::WeightsError;
use toolkit_system::files::FileError;
use toolkit_system::problem::Problem;

/// Why a checkpoint could not be read, used or written.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// A weight file is not what it should be.
    #[error(transparent)]
    Format(#[from] toolkit_formats::FormatError),
    /// Tensors do not fit, or a file could not be written.
    #[error(transparent)]
    Load(#[from] WeightsError),
    /// A model could not be used.
    #[error(transparent)]
    Vlm(#[from] toolkit_vlm::VlmError),
    /// A picture could not be read.
    #[error(transparent)]
    Data(#[from] toolkit_data::DataError),
    /// A file could not be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A model could not be opened, in one line.
    #[error("{0}")]
    Failed(String),
    /// Anything else.
    #[error("{what} --> {place}; hint: {hint}")]
    Other {
        /// What is wrong.
        what: String,
        /// The file, and where in it.
        place: String,
        /// What to try.
        hint: String,
    },
}

impl From<Problem> for CheckpointError {
    fn from(error: Problem) -> Self {
        Self::Load(error.into())
    }
}

impl CheckpointError {
    /// `what` is wrong at `place`.
    pub fn new(what: impl Into<String>, place: impl Into<String>, hint: impl Into<String>) -> Self {
        // Keys and values of damaged files may hold line breaks; an error is one line.
        let what = what.into().split(char::is_control).collect::<Vec<_>>().join(" ");
        Self::Other { what, place: place.into(), hint: hint.into() }
    }

    pub(crate) fn io(action: &str, path: &Path, error: impl Display) -> Self {
        Self::new(
            format!("cannot {action}: {error}"),
            path.display().to_string(),
            "check the path and its permissions",
        )
    }
}
