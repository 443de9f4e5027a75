//! Captions in a file that is called as its picture.

use super::names::ends_with;
use crate::DataError;
use crate::lists::keys::JUST_CAPTION;
use crate::lists::row::Row;
use crate::lists::several::{self, Notes};
use crate::lists::text::{line_error, read_text};
use std::path::Path;

/// Reads the captions of a file, by its ending.
///
/// # Errors
/// If it is no text, or captions in it are none.
pub(super) fn captions(path: &Path) -> Result<Vec<String>, DataError> {
    if ends_with(&path.to_string_lossy(), ".json") { in_json(path) } else { in_lines(path) }
}

/// Reads a caption a line; blank lines are skipped.
fn in_lines(path: &Path) -> Result<Vec<String>, DataError> {
    Ok(read_text(path)?
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect())
}

/// Reads the captions of an object, as img2dataset writes next to a picture; none if it is about
/// other things.
fn in_json(path: &Path) -> Result<Vec<String>, DataError> {
    let text = read_text(path)?;
    let fail = |what: String| line_error(path, 1, what, "write {\"caption\": \"a dog\"}");
    let Ok(row) = Row::parse(text.trim().as_bytes()) else { return Ok(vec![]) };
    let captions = several::captions(&row, &[JUST_CAPTION], &mut Notes::new())
        .map_err(fail)?
        .unwrap_or_default();
    Ok(captions.into_iter().filter(|caption| !caption.trim().is_empty()).collect())
}
