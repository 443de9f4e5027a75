//! Progress on standard error: bars on a terminal, a line about every ten seconds elsewhere, nothing if `--quiet`.

use crate::out::log;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use toolkit_lab::Reporter;
use toolkit_train::Progress;
use toolkit_train::fit::MetricLine;

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
                let _ = bars.println(line);
            }
        }
    }

    /// A task that is shown once it starts.
    #[must_use]
    pub fn task(&self, name: &str) -> Task {
        let now = Instant::now();
        Task {
            name: name.to_owned(),
            log: self.clone(),
            state: Mutex::new(State { bar: None, done: 0, total: 0, began: now, said: now }),
        }
    }

    /// Shows how many of these files are there until the result is dropped: jobs of a run end with writing one.
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

fn bar(bars: &MultiProgress, name: &str, total: u64, done: u64) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{prefix:36!} {bar:24} {pos:>6}/{len:<6} {elapsed:>4} left {eta:<4} {msg}");
    let bar = ProgressBar::new(total).with_position(done).with_prefix(name.to_owned());
    let bar = bars.add(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())));
    // What an earlier call did says nothing about the rate of this one.
    bar.reset_eta();
    bar.tick();
    bar
}

struct State {
    bar: Option<ProgressBar>,
    done: u64,
    total: u64,
    began: Instant,
    said: Instant,
}

/// One task.
pub struct Task {
    name: String,
    log: Log,
    state: Mutex<State>,
}

impl Task {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn moved(&self, done: u64, message: &str) {
        let mut state = self.state();
        state.done = done;
        if let Some(bar) = &state.bar {
            bar.set_position(done);
            if !message.is_empty() {
                bar.set_message(message.to_owned());
            }
        } else if state.said.elapsed() >= BETWEEN_LINES {
            state.said = Instant::now();
            let comma = if message.is_empty() { "" } else { ", " };
            self.log.line(&format!("{}: {done}/{}{comma}{message}", self.name, state.total));
        }
    }
}

impl Progress for Task {
    fn start(&self, done: u64, total: u64) {
        let mut state = self.state();
        (state.done, state.total, state.began, state.said) = (done, total, Instant::now(), Instant::now());
        match &self.log {
            Log::Bars(bars) => state.bar = Some(bar(bars, &self.name, total, done)),
            _ if done > 0 && done < total => self.log.line(&format!("{}: goes on at {done}/{total}", self.name)),
            _ => {}
        }
    }

    fn step(&self, done: u64, line: &MetricLine) {
        let loss = line.parts.get("loss").map(|loss| format!("loss {loss:.3}"));
        self.moved(done, &loss.unwrap_or_default());
    }

    fn advance(&self, more: u64) {
        let done = self.state().done + more;
        self.moved(done, "");
    }

    fn finish(&self) {
        let state = self.state();
        if let Some(bar) = &state.bar {
            bar.finish_and_clear();
        } else if state.began.elapsed() >= Duration::from_secs(2) {
            self.log.line(&format!(
                "{}: {} done in {}",
                self.name,
                state.total,
                crate::text::seconds(state.began.elapsed().as_secs_f64())
            ));
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
        Log::Bars(bars) => Some(bar(bars, name, files.len() as u64, seen)),
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
