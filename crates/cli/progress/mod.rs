//! Progress on standard error: bars on a terminal, a line about every ten seconds elsewhere,
//! nothing if `--quiet`.

pub mod fetch;
mod task;
mod watch;

pub use self::task::Task;
pub use self::watch::Watch;

use self::task::Unit;
use crate::out::{log, printable};
use indicatif::MultiProgress;
use std::io::IsTerminal;
use std::path::PathBuf;
use toolkit_lab::Reporter;
use toolkit_system::progress::Progress;

/// Form of the log.
#[derive(Clone)]
pub enum Log {
    /// Errors only.
    Silent,
    /// Lines: standard error is a file or a pipe.
    Lines,
    /// Bars: standard error is a terminal.
    Bars(MultiProgress),
}

impl Log {
    /// Chooses the form: `--quiet` silences it, a terminal shows bars.
    #[must_use]
    pub fn new(quiet: bool) -> Self {
        match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => Self::Silent,
            (false, false) => Self::Lines,
            (false, true) => Self::Bars(MultiProgress::new()),
        }
    }

    /// Writes a line.
    pub fn line(&self, line: &str) {
        match self {
            Self::Silent => {}
            Self::Lines => log(line),
            // Above the bars; without any, it is an ordinary line.
            Self::Bars(bars) => {
                let _ = bars.println(printable(line));
            }
        }
    }

    /// Creates a task, which is shown once it starts.
    #[must_use]
    pub fn task(&self, name: &str) -> Task {
        Task::new(self, name, Unit::Pieces)
    }

    /// Creates a task whose steps are bytes, which is shown with a rate. A total of 0 means that it
    /// is unknown.
    #[must_use]
    pub fn bytes_task(&self, name: &str) -> Task {
        Task::new(self, name, Unit::Bytes)
    }

    /// Shows how many of these files exist until the result is dropped. Each job of a run ends with
    /// writing one.
    #[must_use]
    pub fn watch(&self, name: &str, files: Vec<PathBuf>) -> Watch {
        Watch::start(self, name, files)
    }
}

impl Reporter for Log {
    fn task(&self, name: &str) -> Box<dyn Progress + Send> {
        Box::new(Self::task(self, name))
    }
    fn bytes_task(&self, name: &str) -> Box<dyn Progress + Send> {
        Box::new(Self::bytes_task(self, name))
    }
    fn note(&self, line: &str) {
        self.line(line);
    }
}
