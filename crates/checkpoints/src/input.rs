//! Optional files of a checkpoint.

use crate::CheckpointError;
use std::path::Path;

/// Returns `true` if an optional file of a checkpoint is there.
///
/// # Errors
/// If something else has its name, such as a link of the Hub's cache to a blob that is gone.
pub(crate) fn is_there(path: &Path) -> Result<bool, CheckpointError> {
    let wrong = |error| {
        let hint = "fetch the checkpoint again, or remove this if it has no such file";
        CheckpointError::new(format!("cannot read: {error}"), path.display().to_string(), hint)
    };
    toolkit_system::input::is_there(path).map_err(wrong)
}
