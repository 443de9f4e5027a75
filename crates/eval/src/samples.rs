//! Results of single samples as JSON Lines, so that tests can be paired and mistakes looked at.

use crate::EvalError;
use serde::{Serialize, de::DeserializeOwned};
use std::path::Path;
use toolkit_system::files::{FileError, write_bytes};
use toolkit_system::problem::Problem;

/// Writes one JSON object per row. The file appears whole or not at all; its folder is made.
///
/// # Errors
/// Errors of the file system.
pub fn write_samples<T: Serialize>(
    path: &Path,
    rows: impl IntoIterator<Item = T>,
) -> Result<(), EvalError> {
    let mut text = Vec::new();
    for row in rows {
        serde_json::to_writer(&mut text, &row).map_err(|e| bad_line(path, text.len(), &e))?;
        text.push(b'\n');
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|e| FileError::new(folder, e))?;
    }
    Ok(write_bytes(path, &text)?)
}

/// Reads what [`write_samples`] wrote.
///
/// # Errors
/// If the file cannot be read or a line is not a `T`.
pub fn read_samples<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, EvalError> {
    let text = toolkit_system::input::read_to_string(path)
        .map_err(|error| Problem::io("read", path, error))?;
    let parse = |(line, json): (usize, &str)| {
        serde_json::from_str(json).map_err(|e| bad_line(path, line + 1, &e))
    };
    text.lines().enumerate().map(parse).collect()
}

fn bad_line(path: &Path, line: usize, error: &serde_json::Error) -> EvalError {
    let hint = "the file is not of this kind of task, or was edited: evaluate again";
    EvalError::new(error.to_string(), format!("{}:{line}", path.display()), hint)
}
