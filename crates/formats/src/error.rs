//! Errors of this crate, each one line: the fault, its place and a way out.

use std::fmt::{Display, Formatter};
use std::path::{Path, PathBuf};
use toolkit_system::problem::Problem;

/// Why weights cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// A pickle names a function that runs programs or code. Nothing was called.
    Unsafe {
        /// Module and name, with a dot.
        global: String,
        /// File.
        path: PathBuf,
        /// Byte of the file.
        byte: u64,
    },
    /// Anything else: the file cannot be read, is damaged or of an unknown kind, or has no such
    /// tensor.
    Problem(#[from] Problem),
}

impl Display for FormatError {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unsafe { global, path, byte } => {
                let what = format!("the pickle names `{global}`, which can run code");
                let hint = "delete this file, it is an attack or a mistake, and get the weights as \
                    safetensors";
                let place = format!("{} at byte {byte}", path.display());
                Problem::new(what).at(place).hint(hint).fmt(f)
            }
            Self::Problem(problem) => problem.fmt(f),
        }
    }
}

impl FormatError {
    /// Creates the error that the system does not give a file.
    pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> Self {
        let what = format!("cannot read: {error}");
        Self::file(path, what, "check that it exists and may be read")
    }

    /// Creates the error that something is wrong with a file as a whole.
    pub(crate) fn file(path: &Path, what: impl Display, hint: impl Display) -> Self {
        Problem::new(what).at(path.display()).hint(hint).into()
    }

    /// Creates the error of one tensor. `what` follows its name.
    pub(crate) fn tensor(path: &Path, name: &str, what: impl Display, hint: impl Display) -> Self {
        Self::file(path, format_args!("tensor `{}` {what}", one_line(name)), hint)
    }
}

/// Hint for files that end early.
pub(crate) const DAMAGED: &str = "the file is cut off or damaged, get it again";

/// An error of a parser, which knows no file name.
#[derive(Debug)]
pub(crate) struct ParseError {
    cause: Cause,
    /// Byte at which the error was noticed.
    byte: Option<usize>,
}

#[derive(Debug)]
enum Cause {
    Problem(Problem),
    /// Module and name of a function that runs code.
    UnsafeGlobal(String),
}

impl ParseError {
    pub(crate) fn new(what: impl Display, hint: impl Display) -> Self {
        Self { cause: Cause::Problem(Problem::new(what).hint(hint)), byte: None }
    }

    /// Creates the error that a file breaks the rules of its format.
    pub(crate) fn damaged(what: impl Display, byte: usize) -> Self {
        Self::new(what, DAMAGED).offset(byte)
    }

    /// Creates the error that a tensor contradicts itself or the file. `what` follows its name.
    pub(crate) fn tensor(name: &str, what: impl Display) -> Self {
        Self::new(format_args!("tensor `{}` {what}", one_line(name)), DAMAGED)
    }

    /// Creates the error that a pickle names a function that runs code.
    pub(crate) fn unsafe_global(global: String) -> Self {
        Self { cause: Cause::UnsafeGlobal(global), byte: None }
    }

    /// Counts the byte from an earlier start, or names it if there is none yet.
    pub(crate) fn offset(self, start: usize) -> Self {
        Self { byte: Some(self.byte.unwrap_or(0).saturating_add(start)), ..self }
    }

    /// Names the file.
    pub(crate) fn in_file(self, path: &Path) -> FormatError {
        match (self.cause, self.byte) {
            (Cause::UnsafeGlobal(global), byte) => {
                let byte = byte.unwrap_or(0) as u64;
                FormatError::Unsafe { global, path: path.to_owned(), byte }
            }
            (Cause::Problem(problem), Some(byte)) => {
                problem.at(format_args!("{} at byte {byte}", path.display())).into()
            }
            (Cause::Problem(problem), None) => problem.at(path.display()).into(),
        }
    }
}

/// Characters of a name from a file that an error shows.
const SHOWN: usize = 120;

/// Shortens a name from a file and escapes its line breaks.
pub(crate) fn one_line(text: &str) -> String {
    let mut line: String = text.chars().take(SHOWN).flat_map(|c| c.escape_debug()).collect();
    if text.chars().nth(SHOWN).is_some() {
        line.push_str("..");
    }
    line
}
