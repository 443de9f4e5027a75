//! Errors of reading the tables of METEOR.

use std::fmt;
use std::path::PathBuf;
use toolkit_system::problem::Problem;

/// The tables of METEOR could not be read. One line; the hint says what to try.
#[derive(Debug)]
pub enum MeteorError {
    /// The folder holds no METEOR.
    NoJar {
        /// The folder that was named.
        folder: PathBuf,
    },
    /// A file could not be opened or read, or its compressed data is damaged.
    Io {
        /// The file.
        file: PathBuf,
        /// Error of the system.
        source: std::io::Error,
    },
    /// A table of the jar is missing or damaged.
    Jar {
        /// The jar.
        file: PathBuf,
        /// The entry of the zip archive.
        entry: String,
        /// Fault.
        reason: String,
    },
    /// A table holds a line that is not of its form.
    Line {
        /// The table.
        table: String,
        /// Line, from one.
        line: usize,
        /// Fault.
        reason: String,
    },
}

impl MeteorError {
    /// Returns the error as fault and way out.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let again = "unpack pycocoevalcap 1.2 again";
        match self {
            Self::NoJar { folder } => {
                Problem::new(format_args!("no meteor-1.5.jar below {}", folder.display()))
                    .hint("name the folder of the Python package pycocoevalcap 1.2")
            }
            Self::Io { file, source } => {
                Problem::new(format_args!("{}: {source}", file.display())).hint(again)
            }
            Self::Jar { file, entry, reason } => {
                Problem::new(format_args!("{}, entry {entry}: {reason}", file.display()))
                    .hint(again)
            }
            Self::Line { table, line, reason } => {
                Problem::new(format_args!("{table}, line {line}: {reason}"))
                    .hint("the table must be the one of METEOR 1.5")
            }
        }
    }
}

impl fmt::Display for MeteorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem().fmt(f)
    }
}

impl std::error::Error for MeteorError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
