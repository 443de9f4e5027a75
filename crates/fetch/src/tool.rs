//! Programs that fetch packages: their places, command lines and errors.

use crate::error::one_line;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// A program and its first arguments, `python3 -m pip` for one.
#[derive(Clone, Debug)]
pub(crate) struct Tool {
    pub(crate) program: PathBuf,
    pub(crate) first: Vec<OsString>,
    /// Name and first arguments, for messages.
    shown: String,
    path: OsString,
}

impl Tool {
    /// Looks for `words[0]` in the folders of `path`.
    pub(crate) fn find(words: &[&str], path: &OsStr) -> Option<Self> {
        let names = if cfg!(windows) {
            vec![format!("{}.exe", words[0]), format!("{}.cmd", words[0])]
        } else {
            vec![words[0].to_owned()]
        };
        let mut candidates = std::env::split_paths(path)
            .flat_map(|folder| names.iter().map(move |n| folder.join(n)).collect::<Vec<_>>());
        let program = candidates.find(|file| is_program(file))?;
        Some(Self {
            // The program runs in another folder.
            program: std::path::absolute(&program).unwrap_or(program),
            first: words[1..].iter().map(OsString::from).collect(),
            shown: words.join(" "),
            path: path.to_owned(),
        })
    }

    /// Returns the command as one can type it.
    pub(crate) fn line(&self, args: &[OsString]) -> String {
        line(&self.shown, args)
    }

    /// Returns the `PATH` of a child: the folders of this tool, then those of this process. Scripts
    /// need a shell and its tools.
    pub(crate) fn child_path(&self) -> OsString {
        let own = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&self.path).chain(std::env::split_paths(&own));
        std::env::join_paths(folders).unwrap_or_else(|_| self.path.clone())
    }
}

/// Joins a command line, with the arguments quoted where a shell needs it.
pub(crate) fn line(program: &str, args: &[OsString]) -> String {
    let mut line = program.to_owned();
    for arg in args {
        line.push(' ');
        line.push_str(&quote(&arg.to_string_lossy()));
    }
    line
}

/// Quotes a word for a POSIX shell.
pub(crate) fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-+._~:/@=%,!".contains(c);
    if !word.is_empty() && !word.starts_with('~') && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Picks the most informative line of a tool's errors.
///
/// That is the last one marked as an error, else the last one that is no notice. What follows pip's
/// `error: name-of-the-failure` after a cross is its explanation. npm's last line names a log, so
/// of npm it is the first two.
pub(crate) fn summary(stderr: &str) -> String {
    let lines: Vec<&str> = stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let npm = lines.iter().filter_map(|line| {
        line.strip_prefix("npm error").or_else(|| line.strip_prefix("npm ERR!"))
    });
    let npm: Vec<&str> = npm.map(str::trim).filter(|line| !line.is_empty()).take(2).collect();
    if !npm.is_empty() {
        return one_line(&npm.join(": "));
    }
    let starts = |line: &str, words: &[&str]| {
        words.iter().any(|word| {
            line.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
        })
    };
    // Of pip's own failures the last line says which one it is.
    let marked =
        |line: &&str| starts(line, &["error:", "E:", "fatal:"]) && *line != "ERROR: Exception:";
    if let Some(at) = lines.iter().rposition(marked) {
        let why = lines.get(at + 1).and_then(|line| line.strip_prefix('×')).map(str::trim);
        return one_line(
            &why.map_or_else(|| lines[at].to_owned(), |why| format!("{} {why}", lines[at])),
        );
    }
    let notices =
        ["[notice]", "note:", "hint:", "warning:", "deprecation:", "W:", "N:", "╰─>", "│"];
    let telling = lines.iter().rfind(|line| !starts(line, &notices)).or(lines.last());
    one_line(telling.unwrap_or(&"it says nothing"))
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file()
}
