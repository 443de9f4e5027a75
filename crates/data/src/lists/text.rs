//! Text files: UTF-8, with or without a byte-order mark; anything else is named.

use crate::DataError;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// How a file says its characters are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// UTF-8 behind a mark of `mark` bytes, which is 0 or 3.
    Utf8 { mark: usize },
    /// UTF-16, with a mark or told by its zeros.
    Utf16,
}

/// Looks at the first bytes of a file.
pub(crate) fn encoding(start: &[u8]) -> Encoding {
    match start {
        [0xef, 0xbb, 0xbf, ..] => Encoding::Utf8 { mark: 3 },
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Encoding::Utf16,
        // Without a mark, Latin letters have a zero on one side.
        [0, a, 0, b, ..] | [a, 0, b, 0, ..] if *a != 0 && *b != 0 => Encoding::Utf16,
        _ => Encoding::Utf8 { mark: 0 },
    }
}

/// The error about a file in UTF-16.
pub(crate) fn is_utf16(path: &Path) -> DataError {
    line_error(path, 1, "this is UTF-16", "save the file as UTF-8")
}

pub(crate) fn line_error(path: &Path, line: usize, what: impl Into<String>, hint: &str) -> DataError {
    DataError::Line { path: path.to_owned(), line, what: what.into(), hint: hint.to_owned() }
}

/// Opens a file behind its byte-order mark, to be read in blocks of `block` bytes.
///
/// # Errors
/// If it cannot be read or is UTF-16.
pub(crate) fn open_text(path: &Path, block: usize) -> Result<BufReader<File>, DataError> {
    let fail = |source| DataError::Read { path: path.to_owned(), source };
    let mut reader = BufReader::with_capacity(block, toolkit_system::input::open(path).map_err(fail)?);
    match encoding(reader.fill_buf().map_err(fail)?) {
        Encoding::Utf8 { mark } => reader.consume(mark),
        Encoding::Utf16 => return Err(is_utf16(path)),
    }
    Ok(reader)
}

/// Reads a file as text, without its byte-order mark.
///
/// # Errors
/// If it cannot be read or is no UTF-8; the error has the line.
pub(crate) fn read_text(path: &Path) -> Result<String, DataError> {
    let mut bytes =
        toolkit_system::input::read(path).map_err(|source| DataError::Read { path: path.to_owned(), source })?;
    match encoding(&bytes) {
        Encoding::Utf16 => return Err(is_utf16(path)),
        Encoding::Utf8 { mark } => drop(bytes.drain(..mark)),
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + before.iter().filter(|&&b| b == b'\n').count();
        line_error(path, line, "not UTF-8 text", "save the file as UTF-8")
    })
}

/// Shows a text of a file on one line: ids and paths come from files and may hold a line break.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_debug().collect() } else { vec![c] }).collect()
}
