//! What can go wrong while the tables of METEOR are read.

use std::path::PathBuf;

/// The tables of METEOR could not be read. One line; the hint says what to try.
#[derive(Debug, thiserror::Error)]
pub enum MeteorError {
    /// The folder holds no METEOR.
    #[error(
        "no meteor-1.5.jar below {folder}; hint: name the folder of the Python package \
        pycocoevalcap 1.2"
    )]
    NoJar {
        /// The folder that was named.
        folder: PathBuf,
    },
    /// A file could not be opened or read, or its compressed data is damaged.
    #[error("{file}: {source}; hint: unpack pycocoevalcap 1.2 again")]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A table of the jar is missing or damaged.
    #[error("{file}, entry {entry}: {reason}; hint: unpack pycocoevalcap 1.2 again")]
    Jar {
        /// The jar.
        file: PathBuf,
        /// The entry of the zip archive.
        entry: String,
        /// What is wrong.
        reason: String,
    },
    /// A table holds a line that is not of its form.
    #[error("{table}, line {line}: {reason}; hint: the table must be the one of METEOR 1.5")]
    Line {
        /// The table.
        table: String,
        /// Its line, from one.
        line: usize,
        /// What is wrong.
        reason: String,
    },
}
