//! The error of this crate.

use toolkit_data::DataError;
use toolkit_models::weights::WeightsError;
use toolkit_system::problem::Problem;

/// A model that cannot be built or used.
#[derive(Debug, thiserror::Error)]
pub enum VlmError {
    /// Weights cannot be read.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A picture cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Anything else.
    #[error(transparent)]
    Problem(#[from] Problem),
}
