//! The error of this crate: one line with what is wrong, where, and what to try.

use std::fmt::Display;
use std::path::Path;
use toolkit_store::{Source, problem};
use toolkit_system::problem::Problem;

/// Why a file or folder could not be fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// It is not in the store, and the network may not be asked.
    #[error(transparent)]
    Offline(Problem),
    /// A server answered with an error status.
    #[error("{problem}")]
    Status {
        /// HTTP status.
        status: u16,
        /// Meaning of the status here.
        problem: Problem,
    },
    /// No server answered, or the answer broke off too often.
    #[error(transparent)]
    Network(Problem),
    /// A server sent an answer that is wrong.
    #[error(transparent)]
    Answer(Problem),
    /// A file of the store is not as it came.
    #[error(transparent)]
    Damaged(Problem),
    /// An archive is damaged, wants to write outside its folder, or is too large.
    #[error(transparent)]
    Archive(Problem),
    /// Anything else: a text that is no source, a wrong digest, a package manager that failed, a
    /// disk that is full.
    #[error(transparent)]
    Problem(#[from] Problem),
}

impl FetchError {
    pub(crate) fn offline(source: &Source, root: &Path, hint: impl Display) -> Self {
        let what = format!("offline, and not in the store {}: {source}", root.display());
        Self::Offline(Problem::new(what).hint(hint))
    }

    pub(crate) fn status(what: &str, status: u16, url: &str, hint: &str) -> Self {
        let what = format!("{what} (HTTP status {status})");
        Self::Status { status, problem: Problem::new(what).at(url).hint(hint) }
    }

    pub(crate) fn answer(what: impl Display, url: &str) -> Self {
        let hint = "the server is damaged or no Hub; check HF_ENDPOINT";
        Self::Answer(Problem::new(what).at(url).hint(hint))
    }

    /// Creates the error of a package manager that is not there or failed.
    pub(crate) fn tool(what: impl Display, command: &str, hint: impl Display) -> Self {
        Self::Problem(Problem::new(what).at(command).hint(hint))
    }

    pub(crate) fn archive(file: &Path, what: impl Display, hint: &str) -> Self {
        Self::Archive(Problem::new(what).at(file.display()).hint(hint))
    }

    pub(crate) fn damaged(file: &Path, what: &str, hint: &str) -> Self {
        Self::Damaged(problem::damaged(file, what, hint))
    }

    /// Returns a function for `map_err`: the system refused `action` on `path`.
    pub(crate) fn io<'a>(
        action: &'static str,
        path: &'a Path,
    ) -> impl FnOnce(std::io::Error) -> Self + 'a {
        move |error| Self::Problem(problem::io(action, path)(error))
    }
}

/// Returns text of a server or program as one line without space around it.
pub(crate) fn one_line(text: &str) -> String {
    toolkit_system::problem::one_line(text.trim())
}
