//! Weights by path: a file, a folder, or an index of shards.

use crate::bytes::FileBytes;
use crate::error::FormatError;
use crate::opened::Opened;
use crate::shards;
use std::path::{Path, PathBuf};

/// Files that a folder is searched for, in this order.
const IN_FOLDER: [&str; 4] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
];

/// Opens the weights at `path`.
pub(crate) fn open(path: &Path) -> Result<Opened, FormatError> {
    let file = if path.is_dir() { weights_of(path)? } else { path.to_owned() };
    let opened = if file.to_string_lossy().ends_with(".index.json") {
        shards::open(&file)?
    } else {
        Opened::parse(FileBytes::map(&file)?)?
    };
    Ok(Opened { path: path.to_owned(), ..opened })
}

/// Finds the weights of a folder.
///
/// # Errors
/// If there are none, or anything but a file (a folder, a link to nothing) has the name of one. A
/// name that is there is never passed over for other weights.
fn weights_of(folder: &Path) -> Result<PathBuf, FormatError> {
    for file in IN_FOLDER.map(|name| folder.join(name)) {
        let exists = toolkit_system::input::is_there(&file);
        if exists.map_err(|error| FormatError::unreadable(&file, &error))? {
            return Ok(file);
        }
    }
    let hint = format!("one of {} is expected, or name the file itself", IN_FOLDER.join(", "));
    Err(FormatError::file(folder, "no weights in this folder", hint))
}
