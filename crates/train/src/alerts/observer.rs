//! Alerts of a training while it runs.

use super::{Alert, AlertState, MetricRules, TimingRules, Windows};
use crate::TrainError;
use crate::fit::{FitConfig, MetricLine, Observer, StepLines, TimingLine};
use serde::de::DeserializeOwned;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use toolkit_system::files::write_bytes;
use toolkit_system::problem::Problem;

/// Files of the alerts from `metrics.jsonl` and from `timing.jsonl`.
pub const FILES: [&str; 2] = ["alerts.jsonl", "timing-alerts.jsonl"];

/// Observer that writes the alerts of a training and notes each condition when it begins.
///
/// A resumed training first follows its logs again. So its files are those of a training that was
/// not interrupted, as far as they follow from computed values.
pub struct Alerts<'a> {
    dir: PathBuf,
    note: &'a dyn Fn(&Alert),
    metrics: MetricRules,
    timing: TimingRules,
    /// Alerts of each of [`FILES`].
    found: [Vec<Alert>; 2],
}

impl<'a> Alerts<'a> {
    /// Creates the observer of the training in `dir`; `note` shows an alert that begins.
    #[must_use]
    pub fn new(config: &FitConfig, dir: &Path, note: &'a dyn Fn(&Alert)) -> Self {
        let windows = Windows::of(config.steps, &config.schedule);
        Self {
            dir: dir.to_owned(),
            note,
            metrics: MetricRules::new(windows),
            timing: TimingRules::new(windows),
            found: [Vec::new(), Vec::new()],
        }
    }

    /// Writes a file of alerts; without alerts there is none.
    fn write(&self, which: usize) -> Result<(), TrainError> {
        let path = self.dir.join(FILES[which]);
        let mut text = String::new();
        for alert in &self.found[which] {
            text.push_str(&serde_json::to_string(alert).map_err(Problem::defect)?);
            text.push('\n');
        }
        if !text.is_empty() {
            return Ok(write_bytes(&path, text.as_bytes())?);
        }
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(Problem::io("remove", &path, error).into())
            }
            _ => Ok(()),
        }
    }

    fn add(&mut self, which: usize, alerts: Vec<Alert>) -> Result<(), TrainError> {
        if alerts.is_empty() {
            return Ok(());
        }
        alerts.iter().filter(|alert| alert.state == AlertState::Begins).for_each(self.note);
        self.found[which].extend(alerts);
        self.write(which)
    }
}

impl<M> Observer<M> for Alerts<'_> {
    fn start(&mut self, done: u64, _: u64, _: &M) -> Result<(), TrainError> {
        self.found = follow(&self.dir, done, &mut self.metrics, &mut self.timing)?;
        self.write(0)?;
        self.write(1)
    }

    fn after_step(&mut self, _: u64, lines: &StepLines, _: &M) -> Result<(), TrainError> {
        let computed = self.metrics.follow(&lines.metrics);
        let measured = self.timing.follow(&lines.timing);
        self.add(0, computed)?;
        self.add(1, measured.into_iter().collect())
    }
}

/// Finds the alerts of the training in `dir` in its logs, those from computed values first.
///
/// # Errors
/// If a log is there and cannot be read.
pub fn find(dir: &Path, windows: Windows) -> Result<Vec<Alert>, TrainError> {
    let (mut metrics, mut timing) = (MetricRules::new(windows), TimingRules::new(windows));
    Ok(follow(dir, u64::MAX, &mut metrics, &mut timing)?.concat())
}

/// Follows the first `done` steps of both logs; returns the alerts of each.
fn follow(
    dir: &Path,
    done: u64,
    metrics: &mut MetricRules,
    timing: &mut TimingRules,
) -> Result<[Vec<Alert>; 2], TrainError> {
    let [mut computed, mut measured] = [Vec::new(), Vec::new()];
    lines(&dir.join("metrics.jsonl"), |line: MetricLine| {
        if line.step < done {
            computed.extend(metrics.follow(&line));
        }
    })?;
    lines(&dir.join("timing.jsonl"), |line: TimingLine| {
        if line.step < done {
            measured.extend(timing.follow(&line));
        }
    })?;
    Ok([computed, measured])
}

/// Calls `each` with the lines of a file, if it is there. Lines that do not parse are left out.
fn lines<T: DeserializeOwned>(path: &Path, mut each: impl FnMut(T)) -> Result<(), TrainError> {
    let file = match toolkit_system::input::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Problem::io("read", path, error).into()),
    };
    for line in BufReader::new(file).lines() {
        let line = line.map_err(|error| Problem::io("read", path, error))?;
        if let Ok(value) = serde_json::from_str(&line) {
            each(value);
        }
    }
    Ok(())
}
