//! What can go wrong on the way, said as what, where and what to try.

use std::path::{Path, PathBuf};

/// An error of this crate: one line that says what, where and a `hint:`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The text is no source.
    #[error("bad source `{text}`: {what}; hint: {hint}")]
    Source {
        /// The text.
        text: String,
        /// Description of the damage.
        what: String,
        /// What to write.
        hint: String,
    },
    /// It is not in the store and the network may not be asked.
    #[error("offline, and not in the store {}: {source_text}; hint: {hint}", store.display())]
    Offline {
        /// What was wanted.
        source_text: String,
        /// The root of the store.
        store: PathBuf,
        /// How to get it.
        hint: String,
    },
    /// A server said no.
    #[error("{what} (HTTP status {status}) --> {url}; hint: {hint}")]
    Status {
        /// What the status means here.
        what: String,
        /// The HTTP status.
        status: u16,
        /// The address, without its query.
        url: String,
        /// Advice: what to try.
        hint: String,
    },
    /// No server answered, or the answer broke off too often.
    #[error("network: {what} --> {url}; hint: {hint}")]
    Network {
        /// What happened.
        what: String,
        /// The address, without its query.
        url: String,
        /// Advice: what to try.
        hint: String,
    },
    /// A server said something that cannot be.
    #[error("{what} --> {url}; hint: the server is damaged or no Hub; check HF_ENDPOINT")]
    Answer {
        /// What it said.
        what: String,
        /// The address.
        url: String,
    },
    /// A package manager is not there or failed.
    #[error("{what} --> {command}; hint: {hint}")]
    Tool {
        /// What is wrong.
        what: String,
        /// The command.
        command: String,
        /// Advice: what to try.
        hint: String,
    },
    /// The bytes are not those that were promised.
    #[error("wrong {what}: expected {expected}, got {got} --> {}; hint: {hint}", file.display())]
    Digest {
        /// The digest and the file: `sha256 of model.safetensors`.
        what: String,
        /// The promised digest.
        expected: String,
        /// The digest of what is there.
        got: String,
        /// The file.
        file: PathBuf,
        /// What happened to the file, and what to try.
        hint: String,
    },
    /// A file of the store is not as it came.
    #[error("the file is damaged: {what} --> {}; hint: {hint}", file.display())]
    Damaged {
        /// Description of the damage.
        what: String,
        /// The file.
        file: PathBuf,
        /// Advice: what to try.
        hint: String,
    },
    /// An archive is damaged or wants to write outside its folder.
    #[error("{what} --> {}; hint: {hint}", file.display())]
    Archive {
        /// What is wrong.
        what: String,
        /// The archive.
        file: PathBuf,
        /// Advice: what to try.
        hint: String,
    },
    /// The file or folder is not in what was fetched.
    #[error("no `{member}` in {folder}; hint: {hint}", folder = folder.display())]
    Member {
        /// What was wanted.
        member: String,
        /// Where it should be.
        folder: PathBuf,
        /// What is there.
        hint: String,
    },
    /// The disk said no.
    #[error("cannot {what} {}: {error}; hint: {hint}", path.display())]
    Io {
        /// What was tried: `read`, `write`, ..
        what: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
        /// Advice: what to try.
        hint: &'static str,
    },
}

impl FetchError {
    pub(crate) fn source(text: &str, what: &str, hint: &str) -> Self {
        Self::Source { text: one_line(text), what: one_line(what), hint: one_line(hint) }
    }

    pub(crate) fn archive(file: &Path, what: impl std::fmt::Display, hint: &str) -> Self {
        Self::Archive {
            what: one_line(&what.to_string()),
            file: file.to_owned(),
            hint: hint.to_owned(),
        }
    }

    pub(crate) fn damaged(file: &Path, what: &str, hint: &str) -> Self {
        Self::Damaged { what: one_line(what), file: file.to_owned(), hint: hint.to_owned() }
    }

    /// For `map_err`: the disk said no to `what` on `path`.
    pub(crate) fn io<'a>(
        what: &'static str,
        path: &'a Path,
    ) -> impl FnOnce(std::io::Error) -> Self + 'a {
        move |error| {
            let hint = match what {
                "read" => "check that it exists and may be read",
                _ => "check free space and permissions, or set TOOLKIT_CACHE to another folder",
            };
            Self::Io { what, path: path.to_owned(), error, hint }
        }
    }
}

/// Names come from servers and archives; they may hold line breaks, an error may not.
pub(crate) fn one_line(text: &str) -> String {
    let text = text.trim();
    text.chars()
        .flat_map(|c| if c.is_control() { c.escape_debug().collect() } else { vec![c] })
        .collect()
}
