//! The error of weight files.

use super::listing::Listing;
use std::fmt::{Display, Formatter};
use toolkit_core::params::Mismatch;
use toolkit_formats::FormatError;
use toolkit_system::files::FileError;
use toolkit_system::problem::Problem;

/// Why weights could not be read, fitted to a part, or written.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The tensors are not those of the part.
    Mismatch {
        /// File as shown to the user.
        file: String,
        /// Missing, unexpected and mis-shaped tensors.
        mismatch: Box<Mismatch>,
    },
    /// A weight file is damaged or of no known format.
    File(#[from] FormatError),
    /// Anything else.
    Problem(#[from] Problem),
}

impl Display for WeightsError {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Mismatch { file, mismatch } => {
                let what = format!("weights do not fit: {}", Listing(mismatch));
                let hint = "compare the configuration (a card's `[config]`, or `config.json`) with \
                    the model the weights are of";
                Problem::new(what).at(file).hint(hint).fmt(f)
            }
            Self::File(error) => error.fmt(f),
            Self::Problem(problem) => problem.fmt(f),
        }
    }
}

impl From<FileError> for WeightsError {
    fn from(error: FileError) -> Self {
        Problem::new(format_args!("cannot write: {}", error.error))
            .at(error.path.display())
            .hint("check free space and permissions")
            .into()
    }
}
