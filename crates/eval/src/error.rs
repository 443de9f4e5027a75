//! The error of this crate.

use std::error::Error;
use toolkit_data::DataError;
use toolkit_metrics::MeteorError;
use toolkit_system::files::FileError;
use toolkit_system::problem::Problem;
use toolkit_vlm::VlmError;

/// A measurement that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// A picture cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A file cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// METEOR's tables cannot be read.
    #[error(transparent)]
    Meteor(#[from] MeteorError),
    /// Text cannot be generated.
    #[error(transparent)]
    Vlm(#[from] VlmError),
    /// Features of pictures cannot be had: the error of their source.
    #[error(transparent)]
    Features(Box<dyn Error + Send + Sync>),
    /// Anything else, such as a task card that is wrong.
    #[error(transparent)]
    Problem(#[from] Problem),
}

impl EvalError {
    /// Wraps the error of a source of features.
    pub fn features(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Features(error.into())
    }

    /// Creates an error with a place and a hint.
    pub(crate) fn new(what: impl Into<String>, at: impl Into<String>, hint: &str) -> Self {
        Problem::new(what.into()).at(at.into()).hint(hint).into()
    }
}
