//! Promises of the crate, on a tiny family of its own.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cards;
mod files;
mod parts;

use crate::{Card, Kind, Origin};
use std::path::Path;
use toolkit_system::problem::Problem;

/// Writes `text` to `folder/file`, folders made.
fn put(folder: &Path, file: &str, text: impl AsRef<[u8]>) {
    let path = folder.join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn parse(kind: Kind, text: &str) -> Result<Card, Problem> {
    Card::parse(kind, "x", Origin::Embedded, text)
}

/// The error of a card, as the user sees it.
fn error(kind: Kind, text: &str) -> String {
    let error = parse(kind, text).unwrap_err().to_string();
    assert!(!error.contains('\n'), "an error is one line: {error:?}");
    error
}

/// Returns line and column of an error in a card, from 1; zeros if it is about the whole file.
fn position(error: &Problem) -> (usize, usize) {
    let mut numbers = error.place.rsplitn(3, ':').map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(column)), Some(Ok(line))) => (line, column),
        _ => (0, 0),
    }
}
