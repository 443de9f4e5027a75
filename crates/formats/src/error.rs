//! The error of this crate: one line that says what, where and what to try.

use std::fmt::{Display, Formatter};
use std::path::{Path, PathBuf};

/// Why weights cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// The system does not give the file.
    #[error("cannot read: {source} --> {}; hint: check that it exists and may be read", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is damaged, of an unknown kind, or uses what is not supported.
    #[error("{what} --> {}{}; hint: {hint}", path.display(), At(*byte))]
    File {
        /// What is wrong.
        what: String,
        /// The file.
        path: PathBuf,
        /// The byte of the file it was noticed at, if there is one.
        byte: Option<u64>,
        /// What to try.
        hint: String,
    },
    /// A pickle names a function that runs programs or code. Nothing was called.
    #[error(
        "the pickle names `{global}`, which can run code --> {}{}; hint: delete this file, it is an attack or a \
         mistake, and get the weights as safetensors",
        path.display(), At(Some(*byte))
    )]
    Unsafe {
        /// Module and name, with a dot.
        global: String,
        /// The file.
        path: PathBuf,
        /// The byte of the file (or of the pickle in the archive).
        byte: u64,
    },
    /// A tensor is missing or cannot be given as asked.
    #[error("tensor `{name}` {what} --> {}; hint: {hint}", path.display())]
    Tensor {
        /// The name, shortened and on one line.
        name: String,
        /// What is wrong, after the name.
        what: String,
        /// The file or folder.
        path: PathBuf,
        /// What to try.
        hint: String,
    },
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

struct At(Option<u64>);

impl Display for At {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        self.0.map_or(Ok(()), |byte| write!(f, " at byte {byte}"))
    }
}

pub(crate) const DAMAGED: &str = "the file is cut off or damaged, get it again";

/// What a parser finds wrong; it knows no file name.
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

    /// The file is not what its format promises.
    pub(crate) fn damaged(what: impl Into<String>, byte: usize) -> Self {
        Self { what: what.into(), byte: Some(byte), hint: DAMAGED.to_owned(), global: false }
    }

    /// A pickle names a function that runs code.
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

/// How much of a name from a file an error shows.
const SHOWN: usize = 120;

/// Names come from files; they may be long or hold line breaks, an error may not.
pub(crate) fn one_line(text: &str) -> String {
    let mut line: String = text.chars().take(SHOWN).flat_map(|c| c.escape_debug()).collect();
    if text.chars().nth(SHOWN).is_some() {
        line.push_str("..");
    }
    line
}
