//! The pictures of a folder, without their texts.

use super::passed;
use super::walk::Files;
use crate::DataError;
use std::path::{Path, PathBuf};

/// Finds the pictures in a folder and its sub-folders, as [`crate::Folder`] reads them, in the
/// order of their names. Notes say, one line each, which are passed over.
///
/// # Errors
/// If the folder or one inside it cannot be read.
pub fn pictures_below(dir: &Path) -> Result<(Vec<PathBuf>, Vec<String>), DataError> {
    let files = Files::of(dir)?;
    let pictures = files.pictures.iter().map(|name| dir.join(name)).collect();
    Ok((pictures, passed::pictures(&files.unread)))
}
