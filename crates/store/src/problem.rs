//! The errors of files of a store.

use std::io;
use std::path::Path;
use toolkit_system::problem::Problem;

/// Returns a function for `map_err`: the system refused `action` on `path`.
pub fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Problem + 'a {
    move |error| {
        let hint = match action {
            "read" => "check that it exists and may be read",
            _ => "check free space and permissions, or set TOOLKIT_CACHE to another folder",
        };
        Problem::new(format_args!("cannot {action}: {error}")).at(path.display()).hint(hint)
    }
}

/// Creates the error of a damaged file.
pub fn damaged(file: &Path, what: &str, hint: &str) -> Problem {
    Problem::new(format_args!("the file is damaged: {what}")).at(file.display()).hint(hint)
}

/// Creates the error of a text that is no source.
pub fn bad_source(text: &str, what: &str, hint: &str) -> Problem {
    Problem::new(format_args!("bad source `{text}`: {what}")).hint(hint)
}

/// Creates the error of a wrong digest.
pub fn wrong_digest(what: &str, expected: &str, got: &str, file: &Path, hint: &str) -> Problem {
    Problem::new(format_args!("wrong {what}: expected {expected}, got {got}"))
        .at(file.display())
        .hint(hint)
}
