//! Reading of official files. An error names the file and the row, its key and its id.

use super::id::Id;
use crate::EvalError;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::path::Path;
use toolkit_data::{DataError, Field, check_rows};
use toolkit_system::encoding::{Encoding, UTF16, encoding};

/// The bytes of a file without its byte order mark.
fn bytes(path: &Path) -> Result<Vec<u8>, EvalError> {
    let place = path.display().to_string();
    let mut bytes = toolkit_system::input::read(path).map_err(|error| {
        EvalError::new(format!("cannot read the file: {error}"), &place, "check the path")
    })?;
    match encoding(&bytes) {
        // Some editors and pandas' `utf-8-sig` put a mark before a text.
        Encoding::Utf8 { mark } => drop(bytes.drain(..mark)),
        Encoding::Utf16 => return Err(EvalError::new(UTF16.0, place, "save it as UTF-8")),
    }
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(EvalError::new("the file is empty", place, "write it again"));
    }
    Ok(bytes)
}

/// A list of a file: its key in an object, or none if it is the file itself.
pub(super) type Section = (Option<&'static str>, &'static [Field]);

/// The error of a file that serde could not read: the row and its key, where one is at fault.
fn malformed(
    error: &serde_json::Error,
    path: &Path,
    form: &str,
    sections: &[Section],
) -> EvalError {
    let wrong = |what: &str| {
        let place = format!("{}:{}:{}", path.display(), error.line(), error.column());
        EvalError::new(format!("not of the official form: {what}"), place, form)
    };
    // serde names a byte, and most files are one line: the rows are walked again to name one.
    for &(name, fields) in sections {
        if let Err(DataError::Malformed(problem)) = check_rows(path, name, fields) {
            return wrong(&problem.what);
        }
    }
    let text = error.to_string();
    wrong(text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what))
}

/// Reads a JSON file of the form wanted, which has `sections`.
pub(super) fn read<T: DeserializeOwned>(
    path: &Path,
    form: &str,
    sections: &[Section],
) -> Result<T, EvalError> {
    let bytes = bytes(path)?;
    serde_json::from_slice(&bytes).map_err(|error| malformed(&error, path, form, sections))
}

/// Reads rows of results: a list of them, or JSON Lines, a row each.
pub(super) fn read_rows<T: DeserializeOwned>(
    path: &Path,
    form: &str,
    fields: &'static [Field],
) -> Result<Vec<T>, EvalError> {
    let bytes = bytes(path)?;
    let malformed = |error: &serde_json::Error| malformed(error, path, form, &[(None, fields)]);
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return serde_json::from_slice(&bytes).map_err(|error| malformed(&error));
    }
    let lines: Result<Vec<T>, _> =
        serde_json::Deserializer::from_slice(&bytes).into_iter::<T>().collect();
    lines.map_err(|error| malformed(&error))
}

/// Maps each id to its place. An id that comes twice is an error.
pub(super) fn index<'a>(
    what: &str,
    ids: impl Iterator<Item = &'a Id>,
    path: &Path,
    hint: &str,
) -> Result<HashMap<&'a Id, usize>, EvalError> {
    let mut at = HashMap::new();
    for (place, id) in ids.enumerate() {
        if let Some(before) = at.insert(id, place) {
            let what =
                format!("{what} {id} is there twice, in rows {} and {}", before + 1, place + 1);
            return Err(EvalError::new(what, path.display().to_string(), hint));
        }
    }
    Ok(at)
}
