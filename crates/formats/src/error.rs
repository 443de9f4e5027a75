//! The error of this crate: one line that says what, where and what to try.

use std::fmt::{Display, Formatter};
use std::path::{Path, PathBuf};
use toolkit_system::problem::Problem;

/// Why weights cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// The system does not give the file.
    Read {
        /// File or folder.
        path: PathBuf,
        /// Error of the system.
        source: std::io::Error,
    },
    /// The file is damaged, of an unknown kind, or uses a feature that is not supported.
    File {
        /// Description of the damage.
        what: String,
        /// File.
        path: PathBuf,
        /// Byte of the file that it was noticed at, if there is one.
        byte: Option<u64>,
        /// Advice: what to try.
        hint: String,
    },
    /// A pickle names a function that runs programs or code. Nothing was called.
    Unsafe {
        /// Module and name, with a dot.
        global: String,
        /// File.
        path: PathBuf,
        /// Byte of the file, or of the pickle in the archive.
        byte: u64,
    },
    /// A tensor is missing or cannot be given as asked.
    Tensor {
        /// Name, shortened and on one line.
        name: String,
        /// Description of the error, after the name.
        what: String,
        /// File or folder.
        path: PathBuf,
        /// Advice: what to try.
        hint: String,
    },
}

impl FormatError {
    /// Returns the error in its three parts.
    #[must_use]
    pub fn problem(&self) -> Problem {
        match self {
            Self::Read { path, source } => Problem::new(format_args!("cannot read: {source}"))
                .at(path.display())
                .hint("check that it exists and may be read"),
            Self::File { what, path, byte, hint } => {
                Problem::new(what).at(place(path, *byte)).hint(hint)
            }
            Self::Unsafe { global, path, byte } => {
                let what = format!("the pickle names `{global}`, which can run code");
                let hint = "delete this file, it is an attack or a mistake, and get the weights as \
                    safetensors";
                Problem::new(what).at(place(path, Some(*byte))).hint(hint)
            }
            Self::Tensor { name, what, path, hint } => {
                Problem::new(format_args!("tensor `{name}` {what}")).at(path.display()).hint(hint)
            }
        }
    }
}

impl Display for FormatError {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        self.problem().fmt(f)
    }
}

/// Names a file, and a byte of it where there is one.
fn place(path: &Path, byte: Option<u64>) -> String {
    match byte {
        Some(byte) => format!("{} at byte {byte}", path.display()),
        None => path.display().to_string(),
    }
}

impl FormatError {
    pub(crate) fn file(path: &Path, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::File { what: what.into(), path: path.to_owned(), byte: None, hint: hint.into() }
    }

    pub(crate) fn tensor(
        path: &Path,
        name: &str,
        what: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::Tensor {
            name: one_line(name),
            what: what.into(),
            path: path.to_owned(),
            hint: hint.into(),
        }
    }
}

/// Hint for files that end early.
pub(crate) const DAMAGED: &str = "the file is cut off or damaged, get it again";

/// An error of a parser, which knows no file name.
#[derive(Debug)]
pub(crate) struct Fault {
    what: String,
    byte: Option<usize>,
    hint: String,
    global: bool,
}

impl Fault {
    pub(crate) fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), byte: None, hint: hint.into(), global: false }
    }

    /// Creates the error that a file breaks the rules of its format.
    pub(crate) fn damaged(what: impl Into<String>, byte: usize) -> Self {
        Self { what: what.into(), byte: Some(byte), hint: DAMAGED.to_owned(), global: false }
    }

    /// Creates the error that a pickle names a function that runs code.
    pub(crate) fn global(global: String, byte: usize) -> Self {
        Self { what: global, byte: Some(byte), hint: String::new(), global: true }
    }

    /// Counts the byte from an earlier start, or names it if there is none yet.
    pub(crate) fn offset(mut self, start: usize) -> Self {
        self.byte = Some(self.byte.unwrap_or(0).saturating_add(start));
        self
    }

    pub(crate) fn of(self, path: &Path) -> FormatError {
        let byte = self.byte.map(|byte| byte as u64);
        let path = path.to_owned();
        match self.global {
            true => FormatError::Unsafe { global: self.what, path, byte: byte.unwrap_or(0) },
            false => FormatError::File { what: self.what, path, byte, hint: self.hint },
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
