//! Progress on standard error: bars on a terminal, a line about every ten seconds elsewhere,
//! nothing if `--quiet`.

use crate::out::{log, printable, shown};
use crate::text::{bytes, seconds};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use toolkit_lab::Reporter;
use toolkit_system::progress::Progress;

/// Between two lines about the same task where there is no terminal.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// How to talk.
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
    /// As `--quiet` and the terminal have it.
    #[must_use]
    pub fn new(quiet: bool) -> Self {
        match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => Self::Silent,
            (false, false) => Self::Lines,
            (false, true) => Self::Bars(MultiProgress::new()),
        }
    }

    /// A line for the log.
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

    /// A task that is shown once it starts.
    #[must_use]
    pub fn task(&self, name: &str) -> Task {
        self.task_in(name, Unit::Pieces)
    }

    /// A task whose steps are bytes: it is shown with a rate. A total of 0 is one that nobody
    /// knows.
    #[must_use]
    pub fn bytes_task(&self, name: &str) -> Task {
        self.task_in(name, Unit::Bytes)
    }

    fn task_in(&self, name: &str, unit: Unit) -> Task {
        let now = Instant::now();
        Task {
            name: shown(name).into_owned(),
            unit,
            log: self.clone(),
            state: Mutex::new(State {
                bar: None,
                first: 0,
                done: 0,
                total: 0,
                message: String::new(),
                began: now,
                said: now,
            }),
        }
    }

    /// Shows how many of these files are there until the result is dropped: jobs of a run end with
    /// writing one.
    #[must_use]
    pub fn watch(&self, name: &str, files: Vec<PathBuf>) -> Watch {
        let stop = Arc::new(AtomicBool::new(false));
        let (log, name, stopped) = (self.clone(), name.to_owned(), stop.clone());
        let thread = std::thread::spawn(move || count_files(&log, &name, files, &stopped));
        Watch { stop, thread: Some(thread) }
    }
}

impl Reporter for Log {
    fn task(&self, name: &str) -> Box<dyn Progress + Send> {
        Box::new(Self::task(self, name))
    }
    fn note(&self, line: &str) {
        self.line(line);
    }
}

fn bar(bars: &MultiProgress, name: &str, unit: Unit, total: u64, done: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(match (unit, total) {
        (Unit::Pieces, _) => {
            "{prefix:36!} {bar:24} {pos:>6}/{len:<6} {elapsed:>4} left {eta:<4} {msg}"
        }
        (Unit::Bytes, 0) => "{prefix:36!} {decimal_bytes} {decimal_bytes_per_sec} {elapsed:>4}",
        (Unit::Bytes, _) => {
            "{prefix:36!} {bar:24} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} \
            left {eta:<4}"
        }
    });
    let bar = ProgressBar::new(total).with_position(done).with_prefix(name.to_owned());
    let bar = bars.add(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())));
    // What an earlier call did says nothing about the rate of this one.
    bar.reset_eta();
    bar.tick();
    bar
}

/// Unit of a task's steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// Things that are counted.
    Pieces,
    /// Bytes that arrive or are read.
    Bytes,
}

struct State {
    bar: Option<ProgressBar>,
    /// Done before this call.
    first: u64,
    done: u64,
    total: u64,
    message: String,
    began: Instant,
    said: Instant,
}

/// One task.
pub struct Task {
    name: String,
    unit: Unit,
    log: Log,
    state: Mutex<State>,
}

/// Says how many bytes are done, of how many, and how fast: `12.3 MB of 300.0 MB, 4.1 MB/s`.
fn in_bytes(state: &State, finished: bool) -> String {
    let time = state.began.elapsed().as_secs_f64();
    let rate = || {
        let per_second = (state.done - state.first.min(state.done)) as f64 / time.max(1e-3);
        format!("{}/s", bytes(per_second as u64))
    };
    let done = bytes(state.done);
    match (finished, state.total) {
        // Nothing came in a task that waits.
        (true, _) if state.done == 0 => format!("done in {}", seconds(time)),
        (true, _) => format!("{done} in {}, {}", seconds(time), rate()),
        (false, 0) => format!("{done}, {}", rate()),
        (false, total) => format!("{done} of {}, {}", bytes(total), rate()),
    }
}

impl Task {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for Task {
    fn start(&self, done: u64, total: u64) {
        let mut state = self.state();
        (state.first, state.done, state.total) = (done, done, total);
        (state.began, state.said) = (Instant::now(), Instant::now());
        if let Some(earlier) = state.bar.take() {
            earlier.finish_and_clear();
        }
        let at = match self.unit {
            Unit::Pieces => format!("{done}/{total}"),
            Unit::Bytes => bytes(done),
        };
        match &self.log {
            Log::Bars(bars) => state.bar = Some(bar(bars, &self.name, self.unit, total, done)),
            _ if done > 0 && done < total => {
                self.log.line(&format!("{}: goes on at {at}", self.name))
            }
            _ => {}
        }
    }

    fn advance(&self, more: u64) {
        let mut state = self.state();
        state.done += more;
        if let Some(bar) = &state.bar {
            bar.set_position(state.done);
        } else if state.said.elapsed() >= BETWEEN_LINES {
            state.said = Instant::now();
            let comma = if state.message.is_empty() { "" } else { ", " };
            let done = match self.unit {
                Unit::Pieces => format!("{}/{}", state.done, state.total),
                Unit::Bytes => in_bytes(&state, false),
            };
            self.log.line(&format!("{}: {done}{comma}{}", self.name, state.message));
        }
    }

    fn message(&self, text: &str) {
        let mut state = self.state();
        if let Some(bar) = &state.bar {
            bar.set_message(text.to_owned());
        }
        text.clone_into(&mut state.message);
    }

    fn finish(&self) {
        let state = self.state();
        if let Some(bar) = &state.bar {
            bar.finish_and_clear();
        } else if state.began.elapsed() >= Duration::from_secs(2) {
            let done = match self.unit {
                Unit::Pieces => format!(
                    "{} done in {}",
                    state.total,
                    seconds(state.began.elapsed().as_secs_f64())
                ),
                Unit::Bytes => in_bytes(&state, true),
            };
            self.log.line(&format!("{}: {done}", self.name));
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        // After a failure: an error stands alone.
        if let Some(bar) = self.state().bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// See [`Log::watch`].
pub struct Watch {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn count_files(log: &Log, name: &str, files: Vec<PathBuf>, stop: &AtomicBool) {
    let there = || files.iter().filter(|file| file.exists()).count() as u64;
    let mut seen = there();
    let bar = match log {
        Log::Bars(bars) => Some(bar(bars, name, Unit::Pieces, files.len() as u64, seen)),
        _ => None,
    };
    let mut looked = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(100));
        if looked.elapsed() < Duration::from_secs(1) {
            continue;
        }
        looked = Instant::now();
        let now = there();
        match &bar {
            Some(bar) => bar.set_position(now),
            None if now != seen => log.line(&format!("{name}: {now}/{}", files.len())),
            None => {}
        }
        seen = now;
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(total: u64, first: u64, done: u64, finished: bool) -> String {
        let began = Instant::now().checked_sub(Duration::from_secs(6)).unwrap_or_else(Instant::now);
        in_bytes(
            &State { bar: None, first, done, total, message: String::new(), began, said: began },
            finished,
        )
    }

    #[test]
    fn bytes_are_shown_with_a_rate_and_never_as_nothing() {
        assert_eq!(said(0, 0, 12_000_000, true), "12.0 MB in 6 s, 2.0 MB/s");
        assert_eq!(said(0, 0, 12_000_000, false), "12.0 MB, 2.0 MB/s");
        assert_eq!(said(24_000_000, 6_000_000, 18_000_000, false), "18.0 MB of 24.0 MB, 2.0 MB/s");
        assert_eq!(said(0, 0, 0, true), "done in 6 s");
    }
}
