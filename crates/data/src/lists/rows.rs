//! The rows of a JSON file, in the shapes that lists have: a list, a list inside an object, one
//! object a line, an object of rows by id. 700 MB of regions are never in memory as text or as a tree of
//! values.

use super::at::Each;
use super::keys::ROWS;
use super::walk::walk;
use crate::DataError;
use std::path::Path;

/// Walks a file that is a list of rows: `[..]`, `{"annotations": [..]}` or one object a line.
/// `more` are further keys that the list may have in an object.
///
/// # Errors
/// If the file cannot be read or stops being a list of rows, or the first that `each` gives.
pub(crate) fn list(path: &Path, more: &[&'static str], each: Each<'_>) -> Result<(), DataError> {
    walk(path, |walk| {
        let sections: Vec<&'static str> = ROWS.iter().chain(more).copied().collect();
        match walk.source.need()? {
            b'[' => walk.rows("", each),
            b'{' if walk.has_lines(path, &sections)? => walk.lines("", each),
            b'{' => walk.object(&sections, each),
            _ => Err(walk.not("a list of rows")?),
        }
    })
}

/// Walks the list `section` of a file that is an object; other keys are passed over. Says if the
/// list is there. With `bare` a file that is nothing but the list, or its rows line by line, is
/// read as well.
///
/// # Errors
/// As [`list`].
pub(crate) fn section(
    path: &Path,
    section: &'static str,
    bare: bool,
    each: Each<'_>,
) -> Result<bool, DataError> {
    let mut found = false;
    walk(path, |walk| match walk.source.need()? {
        b'[' if bare => {
            found = true;
            walk.rows(section, each)
        }
        b'{' if bare && walk.has_lines(path, &[section])? => {
            found = true;
            walk.lines(section, each)
        }
        b'{' => walk.sections(section, &mut found, each),
        _ => Err(walk.not(&format!("an object with \"{section}\""))?),
    })?;
    Ok(found)
}

/// Walks a file that is an object of rows by id.
///
/// # Errors
/// As [`list`].
pub(crate) fn entries(path: &Path, each: Each<'_>) -> Result<(), DataError> {
    walk(path, |walk| match walk.source.need()? {
        b'{' => walk.entries(each),
        _ => Err(walk.not("an object of rows by id")?),
    })
}
