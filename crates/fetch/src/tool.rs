//! Finding and running the programs that fetch packages.

use crate::FetchError;
use crate::error::one_line;
use crate::progress::Step;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A program and its first arguments, `python3 -m pip` for one.
#[derive(Clone, Debug)]
pub(crate) struct Tool {
    program: PathBuf,
    first: Vec<OsString>,
    /// As shown to people.
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

    /// The command as one can type it.
    pub(crate) fn line(&self, args: &[OsString]) -> String {
        line(&self.shown, args)
    }

    /// Starts it in `folder`, which also gets its errors, as `stderr`.
    pub(crate) fn spawn(&self, args: &[OsString], folder: &Path, stdout: Stdio) -> Result<Child, FetchError> {
        let log = stderr_file(folder);
        let stderr = File::create(&log).map_err(FetchError::io("write", &log))?;
        let mut command = Command::new(&self.program);
        command.args(&self.first).args(args).current_dir(folder).stdin(Stdio::null()).stdout(stdout).stderr(stderr);
        // Messages are read, so they must be English; temporary files stay where they are cleaned up and counted.
        command.env("LC_ALL", "C").env("TMPDIR", folder).env("PATH", self.child_path());
        command.spawn().map_err(|error| FetchError::Tool {
            what: format!("cannot start {}: {error}", self.program.display()),
            command: self.line(args),
            hint: "check that the program may be run".to_owned(),
        })
    }

    /// The folders it was looked for in, then those of this process: scripts need a shell and its tools.
    fn child_path(&self) -> OsString {
        let own = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&self.path).chain(std::env::split_paths(&own));
        std::env::join_paths(folders).unwrap_or_else(|_| self.path.clone())
    }

    /// Runs it to its end, showing how much arrives in `folder`. Gives its standard output, or `Err` with its errors.
    pub(crate) fn run(
        &self,
        args: &[OsString],
        folder: &Path,
        step: Option<&Step<'_>>,
    ) -> Result<Result<String, String>, FetchError> {
        let out = folder.join("stdout");
        let stdout = File::create(&out).map_err(FetchError::io("write", &out))?;
        let mut child = self.spawn(args, folder, stdout.into())?;
        let (mut shown, mut pause) = (0, Duration::from_millis(5));
        let status = loop {
            if let Some(status) = child.try_wait().map_err(FetchError::io("wait for", &self.program))? {
                break status;
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(200));
            if let Some(step) = step {
                let size = largest(folder);
                step.advance(size.saturating_sub(shown));
                shown = shown.max(size);
            }
        };
        if status.success() { Ok(Ok(read_lossy(&out))) } else { Ok(Err(stderr_of(folder))) }
    }
}

/// A command line with the arguments quoted where a shell needs it.
pub(crate) fn line(program: &str, args: &[OsString]) -> String {
    let mut line = program.to_owned();
    for arg in args {
        line.push(' ');
        line.push_str(&quote(&arg.to_string_lossy()));
    }
    line
}

/// One word for a POSIX shell.
pub(crate) fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-+._~:/@=%,!".contains(c);
    if !word.is_empty() && !word.starts_with('~') && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// What a tool wrote to its standard error in `folder`.
pub(crate) fn stderr_of(folder: &Path) -> String {
    read_lossy(&stderr_file(folder))
}

/// The line of a tool's errors that says most: the last one that is no notice; of npm, whose last line names a log, the
/// first two.
pub(crate) fn summary(stderr: &str) -> String {
    let lines = || stderr.lines().map(str::trim).filter(|line| !line.is_empty());
    let npm: Vec<&str> = lines()
        .filter_map(|line| line.strip_prefix("npm error").or_else(|| line.strip_prefix("npm ERR!")))
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .take(2)
        .collect();
    if !npm.is_empty() {
        return one_line(&npm.join(": "));
    }
    let notice = |line: &&str| line.starts_with("[notice]") || line.starts_with("WARNING:") || line.starts_with("W:");
    one_line(lines().rfind(|line| !notice(line)).or_else(|| lines().next_back()).unwrap_or("it says nothing"))
}

fn stderr_file(folder: &Path) -> PathBuf {
    folder.join("stderr")
}

fn read_lossy(path: &Path) -> String {
    std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// Bytes of the largest entry of a folder: pip copies its download, and both copies are there for a while.
fn largest(folder: &Path) -> u64 {
    sizes(folder).max().unwrap_or(0)
}

/// Bytes of each entry of a folder, as far as it can be read while it changes.
fn sizes(folder: &Path) -> impl Iterator<Item = u64> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| match entry.metadata() {
        Ok(data) if data.is_dir() => sizes(&entry.path()).collect::<Vec<_>>().iter().sum(),
        Ok(data) => data.len(),
        Err(_) => 0,
    })
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
