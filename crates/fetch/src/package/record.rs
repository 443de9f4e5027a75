//! The record next to an unpacked package: the archive it came from.

use crate::FetchError;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Origin of an unpacked package.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    /// Name of the archive.
    pub archive: String,
    /// Digest of the archive, in hex.
    pub sha256: String,
    /// Command that brought it.
    pub command: String,
}

impl Record {
    /// Reads the record of the package at `folder`.
    pub(super) fn read(folder: &Path) -> Result<Self, FetchError> {
        let file = file(folder);
        let text = std::fs::read(&file).map_err(FetchError::io("read", &file))?;
        serde_json::from_slice(&text).map_err(|error| {
            let hint = "remove the file and the folder next to it";
            FetchError::archive(&file, format!("bad record: {error}"), hint)
        })
    }

    /// Writes the record of the package at `folder`, by way of a file in `temp`.
    pub(super) fn write(&self, folder: &Path, temp: &Path) -> Result<(), FetchError> {
        if let Some(parent) = folder.parent() {
            std::fs::create_dir_all(parent).map_err(FetchError::io("create", parent))?;
        }
        let (from, to) = (temp.join("record"), file(folder));
        let record = serde_json::json!(self);
        std::fs::write(&from, format!("{record:#}\n")).map_err(FetchError::io("write", &from))?;
        std::fs::rename(&from, &to).map_err(FetchError::io("write", &to))
    }
}

/// Returns the path of the record.
fn file(folder: &Path) -> PathBuf {
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(".json");
    folder.with_file_name(name)
}
