//! Text files: UTF-8, with or without a byte-order mark; any other encoding is an error.

use crate::DataError;
use std::fmt::Display;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use toolkit_system::encoding::UTF16;
pub(crate) use toolkit_system::encoding::{Encoding, encoding};
use toolkit_system::problem::Problem;
pub(crate) use toolkit_system::problem::one_line;

/// Creates the error of a file in UTF-16.
pub(crate) fn is_utf16(path: &Path) -> DataError {
    line_error(path, 1, UTF16.0, UTF16.1)
}

/// Creates the error of a line of a file, counted from 1.
pub(crate) fn line_error(path: &Path, line: usize, what: impl Display, hint: &str) -> DataError {
    let place = format!("{}:{line}", path.display());
    DataError::Malformed(Problem::new(what).at(place).hint(hint))
}

/// Opens a file behind its byte-order mark, to be read in blocks of `block` bytes.
///
/// # Errors
/// If it cannot be read or is UTF-16.
pub(crate) fn open_text(path: &Path, block: usize) -> Result<BufReader<File>, DataError> {
    let fail = |source| DataError::Read { path: path.to_owned(), source };
    let mut reader =
        BufReader::with_capacity(block, toolkit_system::input::open(path).map_err(fail)?);
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
    let mut bytes = toolkit_system::input::read(path)
        .map_err(|source| DataError::Read { path: path.to_owned(), source })?;
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
