//! JSON files of a run.

use crate::LabError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::Path;
use toolkit_system::files::write_bytes;
use toolkit_system::problem::Problem;

/// Reads a JSON file of a run.
///
/// # Errors
/// If it is missing or damaged.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, LabError> {
    let bytes = toolkit_system::input::read(path).map_err(|e| LabError::io(path, &e))?;
    serde_json::from_slice(&bytes).map_err(|e| {
        Problem::new(format_args!("{}: {e}", path.display())).hint("remove it and run again").into()
    })
}

/// Writes `value` to a JSON file on one line; the file appears whole or not at all.
///
/// # Errors
/// Errors of the file system.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), LabError> {
    write(path, &serde_json::to_vec(value).map_err(Problem::defect)?)
}

/// Writes `value` to a JSON file for people: one key a line.
///
/// # Errors
/// Errors of the file system.
pub fn write_json_pretty(path: &Path, value: &impl Serialize) -> Result<(), LabError> {
    write(path, &serde_json::to_vec_pretty(value).map_err(Problem::defect)?)
}

/// Writes a file that appears whole or not at all.
///
/// # Errors
/// Errors of the file system.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), LabError> {
    write_bytes(path, bytes).map_err(|e| LabError::io(path, &e.error))
}
