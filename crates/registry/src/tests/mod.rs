//! What the crate promises, on a tiny family of its own.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cards;
mod files;
mod forms;
mod levels;
mod parts;
mod reader;
mod tokenizers;
mod weights;

use crate::{Card, CardError, Kind, Origin};
use std::path::Path;

/// Writes `text` to `folder/file`, folders made.
fn put(folder: &Path, file: &str, text: impl AsRef<[u8]>) {
    let path = folder.join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn parse(kind: Kind, text: &str) -> Result<Card, CardError> {
    Card::parse(kind, "x", Origin::Embedded, text)
}

/// The error of a card, as the user sees it.
fn error(kind: Kind, text: &str) -> String {
    let error = parse(kind, text).unwrap_err().to_string();
    assert!(!error.contains('\n'), "an error is one line: {error:?}");
    error
}
