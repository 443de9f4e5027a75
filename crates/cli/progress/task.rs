//! Progress of one task: a bar, or a line every ten seconds.

use super::Log;
use crate::out::shown;
use crate::text::{bytes, seconds};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use toolkit_system::progress::Progress;

/// Time between two lines about the same task where there is no terminal.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// Unit of a task's steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
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
    last_line: Instant,
}

/// Progress of one task.
pub struct Task {
    name: String,
    unit: Unit,
    log: Log,
    state: Mutex<State>,
}

/// Writes how many bytes are done, of how many, and how fast: `12.3 MB of 300.0 MB, 4.1 MB/s`.
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
    pub(super) fn new(log: &Log, name: &str, unit: Unit) -> Self {
        let now = Instant::now();
        Self {
            name: shown(name).into_owned(),
            unit,
            log: log.clone(),
            state: Mutex::new(State {
                bar: None,
                first: 0,
                done: 0,
                total: 0,
                message: String::new(),
                began: now,
                last_line: now,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for Task {
    fn start(&self, done: u64, total: u64) {
        let mut state = self.state();
        (state.first, state.done, state.total) = (done, done, total);
        (state.began, state.last_line) = (Instant::now(), Instant::now());
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
        } else if state.last_line.elapsed() >= BETWEEN_LINES {
            state.last_line = Instant::now();
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

/// Adds a bar.
pub(super) fn bar(
    bars: &MultiProgress,
    name: &str,
    unit: Unit,
    total: u64,
    done: u64,
) -> ProgressBar {
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
    // Steps of an earlier call must not count for the rate of this one.
    bar.reset_eta();
    bar.tick();
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_line(total: u64, first: u64, done: u64, finished: bool) -> String {
        let began = Instant::now().checked_sub(Duration::from_secs(6)).unwrap_or_else(Instant::now);
        in_bytes(
            &State {
                bar: None,
                first,
                done,
                total,
                message: String::new(),
                began,
                last_line: began,
            },
            finished,
        )
    }

    #[test]
    fn bytes_are_shown_with_a_rate_and_never_as_nothing() {
        assert_eq!(bytes_line(0, 0, 12_000_000, true), "12.0 MB in 6 s, 2.0 MB/s");
        assert_eq!(bytes_line(0, 0, 12_000_000, false), "12.0 MB, 2.0 MB/s");
        assert_eq!(
            bytes_line(24_000_000, 6_000_000, 18_000_000, false),
            "18.0 MB of 24.0 MB, 2.0 MB/s"
        );
        assert_eq!(bytes_line(0, 0, 0, true), "done in 6 s");
    }
}
