//! The error of this crate: one line with what is wrong, where, and what to try.

use toolkit_system::problem::Problem;
use toolkit_train::TrainError;
use toolkit_vlm::VlmError;

/// Why something could not be evaluated.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// Anything else, such as a task card that is wrong.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// Features could not be read, or a file not be written.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// Text could not be generated.
    #[error(transparent)]
    Vlm(#[from] VlmError),
    /// Anything else.
    #[error("{what} --> {at}; hint: {hint}")]
    Other {
        /// What is wrong.
        what: String,
        /// Where.
        at: String,
        /// What to try.
        hint: String,
    },
}

impl EvalError {
    /// An error about `at` with a hint.
    pub fn new(what: impl Into<String>, at: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Other { what: what.into(), at: at.into(), hint: hint.into() }
    }
}
