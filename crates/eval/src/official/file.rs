//! Reading: what is wrong is said with the file and the line or the id.

use super::id::Id;
use crate::EvalError;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::path::Path;

/// What some editors and pandas' `utf-8-sig` put before a text.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The bytes of a file without its byte order mark.
fn bytes(path: &Path) -> Result<Vec<u8>, EvalError> {
    let place = path.display().to_string();
    let mut bytes = toolkit_system::input::read(path)
        .map_err(|error| EvalError::new(format!("cannot read the file: {error}"), &place, "check the path"))?;
    if bytes.starts_with(BYTE_ORDER_MARK) {
        bytes.drain(..BYTE_ORDER_MARK.len());
    }
    if bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") {
        return Err(EvalError::new("the file is UTF-16 text", place, "save it as UTF-8"));
    }
    Ok(bytes)
}

fn malformed(error: &serde_json::Error, path: &Path, form: &str) -> EvalError {
    let text = error.to_string();
    let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
    let place = format!("{}:{}:{}", path.display(), error.line(), error.column());
    EvalError::new(format!("not of the official form: {what}"), place, form)
}

/// A JSON file of the form wanted.
pub(super) fn read<T: DeserializeOwned>(path: &Path, form: &str) -> Result<T, EvalError> {
    serde_json::from_slice(&bytes(path)?).map_err(|error| malformed(&error, path, form))
}

/// Rows of results: a list of them, or JSON Lines, a row each.
pub(super) fn read_rows<T: DeserializeOwned>(path: &Path, form: &str) -> Result<Vec<T>, EvalError> {
    let bytes = bytes(path)?;
    let list = || serde_json::from_slice(&bytes).map_err(|error| malformed(&error, path, form));
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return list();
    }
    let lines: Result<Vec<T>, _> = serde_json::Deserializer::from_slice(&bytes).into_iter::<T>().collect();
    // A single object that is no row is no JSON Lines, but a list that something was put around.
    let one = || serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_ok();
    lines.or_else(|error| if one() { list() } else { Err(malformed(&error, path, form)) })
}

/// Where each id is. An id that comes twice is an error.
pub(super) fn index<'a>(
    what: &str,
    ids: impl Iterator<Item = &'a Id>,
    path: &Path,
    hint: &str,
) -> Result<HashMap<&'a Id, usize>, EvalError> {
    let mut at = HashMap::new();
    for (place, id) in ids.enumerate() {
        if let Some(before) = at.insert(id, place) {
            let what = format!("{what} {id} is there twice, as entries {before} and {place}");
            return Err(EvalError::new(what, path.display().to_string(), hint));
        }
    }
    Ok(at)
}
