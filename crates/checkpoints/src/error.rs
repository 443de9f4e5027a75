//! The error of this crate: one line with what is wrong, where, and what to try.

use std::fmt::Display;
use std::path::Path;
use toolkit_models::weights::WeightsError;
use toolkit_system::files::FileError;
use toolkit_system::problem::Problem;

/// Why a checkpoint could not be read, used or written.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// A weight file is broken, or of another form.
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
    /// Anything else.
    #[error(transparent)]
    Problem(#[from] Problem),
}

impl CheckpointError {
    /// Creates the error that `what` is wrong at `place`.
    pub fn new(what: impl Display, place: impl Display, hint: impl Display) -> Self {
        Problem::new(what).at(place).hint(hint).into()
    }

    /// Creates the error that the system refused `action` on `path`.
    pub(crate) fn io(action: &str, path: &Path, error: impl Display) -> Self {
        Problem::io(action, path, error).into()
    }
}
