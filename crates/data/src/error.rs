//! Errors of data.

use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;
use toolkit_system::files::FileError;
use toolkit_system::problem::Problem;

/// An error of data. `Display` renders it as a [`Problem`].
#[derive(Debug)]
#[non_exhaustive]
pub enum DataError {
    /// A file or folder could not be read.
    Read {
        /// File or folder.
        path: PathBuf,
        /// Error of the system.
        source: std::io::Error,
    },
    /// A picture file is damaged, too large or of a format that is not read.
    Decode {
        /// Picture file.
        path: PathBuf,
        /// Message of the decoder, on one line.
        reason: String,
        /// Advice.
        hint: String,
    },
    /// A picture that a list names is not there.
    Missing(Problem),
    /// A text or annotation file is cut off, of another format, or has a row that cannot be true.
    Malformed(Problem),
    /// Any other problem.
    Problem(Problem),
}

impl DataError {
    /// Creates an error of no kind that a caller tells apart.
    pub fn new(what: impl Display, hint: impl Display) -> Self {
        Problem::new(what).hint(hint).into()
    }

    /// Creates the error of asking for item `index` of a data set with `len` items.
    #[must_use]
    pub fn index(dataset: &str, index: usize, len: usize) -> Self {
        let what = format!("{dataset} has {len} items, but item {index} was asked for");
        Self::new(what, "indices start at 0")
    }

    /// Creates the error of a package of `dataset` that is not there or lacks something.
    pub(crate) fn package(dataset: &str, what: impl Display) -> Self {
        let hint = format!("run `toolkit data fetch {dataset}`");
        Self::new(format_args!("{dataset}: {what}"), hint)
    }

    /// Creates the error of a picture that a list names and that is not there.
    pub(crate) fn missing(what: impl Display, hint: impl Display) -> Self {
        Self::Missing(Problem::new(what).hint(hint))
    }

    /// Returns what is wrong, where, and what to try.
    #[must_use]
    pub fn problem(&self) -> Problem {
        match self {
            Self::Read { path, source } => {
                Problem::new(format_args!("cannot read {}: {source}", path.display()))
                    .hint("check that it exists and may be read")
            }
            Self::Decode { path, reason, hint } => {
                let what = format!("cannot decode the picture {}: {reason}", path.display());
                Problem::new(what).hint(hint)
            }
            Self::Missing(problem) | Self::Malformed(problem) | Self::Problem(problem) => {
                problem.clone()
            }
        }
    }

    /// Returns `true` if one picture cannot be had: it is damaged, of an unknown format, gone, or
    /// may not be read. Others of the same data may be fine.
    ///
    /// Judges errors of [`crate::Dataset::image`] and of decoding a file.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        matches!(self, Self::Read { .. } | Self::Decode { .. } | Self::Missing(_))
    }
}

impl From<Problem> for DataError {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<FileError> for DataError {
    fn from(error: FileError) -> Self {
        Self::Problem(error.into())
    }
}

impl Display for DataError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.problem().fmt(f)
    }
}

impl std::error::Error for DataError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read { source, .. } => Some(source),
            _ => None,
        }
    }
}
