//! The place of a row in a file.

use super::text::one_line;
use crate::DataError;
use std::fmt::{Display, Formatter};

/// A place in a list of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At {
    /// The key of the list; empty if the file is one list.
    pub section: &'static str,
    /// From 1.
    pub row: usize,
    /// The line it begins in, from 1.
    pub line: usize,
}

impl Display for At {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "row {}", self.row)?;
        if !self.section.is_empty() {
            write!(f, " of \"{}\"", self.section)?;
        }
        // Most files are one line.
        if self.line > 1 { write!(f, " (line {})", self.line) } else { Ok(()) }
    }
}

/// A function that gets a row: its place, its key if it has one, and its bytes.
pub(crate) type Each<'a> = &'a mut dyn FnMut(At, &str, &[u8]) -> Result<(), DataError>;

/// Puts the place of a row in front of what is wrong with it.
pub(crate) fn placed(at: Option<At>, what: &str) -> String {
    one_line(&match at {
        None => what.to_owned(),
        Some(at) if what.starts_with("has no `") => format!("{at} {what}"),
        Some(at) => format!("{at}: {what}"),
    })
}
