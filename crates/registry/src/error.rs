//! The two errors of this crate. Each is one line: what, where, and what to try.

use std::fmt::{Display, Formatter};
use toolkit_core::params::Mismatch;
use toolkit_system::files::FileError;

/// Something is wrong in a TOML file or in a file that it names, or no such file is there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct CardError {
    /// The file as shown to the user; empty if the error is about no file.
    pub file: String,
    /// Line, from 1; 0 if the error is about the whole file.
    pub line: usize,
    /// Column in characters, from 1; 0 if the error is about the whole file.
    pub column: usize,
    /// What is wrong.
    pub what: String,
    /// What to try; may be empty.
    pub hint: String,
}

impl CardError {
    /// An error about `file` as a whole (or about no file, if that is empty).
    pub fn new(file: impl Into<String>, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::at(file.into(), (0, 0), what.into(), hint.into())
    }

    pub(crate) fn at(
        file: String,
        (line, column): (usize, usize),
        what: String,
        hint: String,
    ) -> Self {
        Self { file, line, column, what: one_line(what), hint: one_line(hint) }
    }
}

/// Keys and values come from files; a quoted key may hold a line break, an error may not.
fn one_line(text: String) -> String {
    if !text.contains(char::is_control) {
        return text;
    }
    text.trim_end()
        .chars()
        .flat_map(|c| if c.is_control() { c.escape_debug().collect() } else { vec![c] })
        .collect()
}

impl Display for CardError {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)?;
        match (self.file.is_empty(), self.line) {
            (true, _) => {}
            (false, 0) => write!(f, " --> {}", self.file)?,
            (false, line) => write!(f, " --> {}:{line}:{}", self.file, self.column)?,
        }
        if self.hint.is_empty() { Ok(()) } else { write!(f, "; hint: {}", self.hint) }
    }
}

/// Why a part could not be built or its weights not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The card is wrong or names a file that is missing or changed.
    #[error(transparent)]
    Card(#[from] CardError),
    /// The bytes are not safetensors with float tensors.
    #[error("{what} --> {file}; hint: {hint}")]
    Format {
        /// The file as shown to the user.
        file: String,
        /// What is wrong.
        what: String,
        /// What to try.
        hint: String,
    },
    /// The tensors are not those of the part.
    #[error(
        "weights do not fit: {} --> {file}; hint: compare the configuration (a card's `[config]`, \
        or `config.json`) with the model the weights are of",
        Listing(.mismatch)
    )]
    Mismatch {
        /// The file as shown to the user.
        file: String,
        /// All that does not fit.
        mismatch: Box<Mismatch>,
    },
    /// A weight file is damaged or of no known format.
    #[error(transparent)]
    File(#[from] toolkit_formats::FormatError),
    /// A source could not be fetched.
    #[error(transparent)]
    Fetch(#[from] toolkit_fetch::FetchError),
    /// A file could not be written.
    #[error("cannot write: {error} --> {file}; hint: check free space and permissions")]
    Write {
        /// The file as shown to the user.
        file: String,
        /// What the system says.
        error: std::io::Error,
    },
}

impl From<FileError> for LoadError {
    fn from(error: FileError) -> Self {
        Self::Write { file: error.path.display().to_string(), error: error.error }
    }
}

impl LoadError {
    pub(crate) fn format(file: &str, what: impl Into<String>, hint: &str) -> Self {
        Self::Format { file: file.to_owned(), what: one_line(what.into()), hint: hint.to_owned() }
    }
}

/// How many names of each kind an error shows.
const SHOWN: usize = 8;

/// All that does not fit, by its kind, in one line.
pub(crate) struct Listing<'a>(pub(crate) &'a Mismatch);

impl Display for Listing<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let kinds = [
            ("missing", &self.0.missing),
            ("unexpected", &self.0.unexpected),
            ("misshaped", &self.0.misshaped),
        ];
        let mut separator = "";
        for (kind, names) in kinds.into_iter().filter(|(_, names)| !names.is_empty()) {
            let shown = names
                .iter()
                .take(SHOWN)
                .map(|name| one_line(name.clone()))
                .collect::<Vec<_>>()
                .join(", ");
            write!(f, "{separator}{} {kind} ({shown}", names.len())?;
            if names.len() > SHOWN {
                write!(f, " and {} more", names.len() - SHOWN)?;
            }
            f.write_str(")")?;
            separator = ", ";
        }
        Ok(())
    }
}
