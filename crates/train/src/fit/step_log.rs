//! The two logs of a training: `metrics.jsonl` and `timing.jsonl`.

use crate::TrainError;
use crate::checkpoint::Checkpoint;
use crate::fit::observer::StepLines;
use crate::log::{LogMark, MetricsLog};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use toolkit_system::files::{FileError, write_bytes};
use toolkit_system::problem::Problem;

/// Logs of computed values and of measured times, a line for each step.
pub(super) struct StepLog {
    metrics: MetricsLog,
    timing: File,
    timing_path: PathBuf,
}

impl StepLog {
    /// Opens the logs in `dir`, without the lines that a run resumed from `saved` writes again.
    ///
    /// Removes checkpoints of other steps but the last `keep`.
    ///
    /// # Errors
    /// If `metrics.jsonl` lacks steps of the checkpoint, and errors of the file system.
    pub(super) fn open(
        dir: &Path,
        saved: Option<&Checkpoint>,
        keep: usize,
    ) -> Result<Self, TrainError> {
        let step = saved.map_or(0, |saved| saved.step);
        let mark = saved.and_then(|saved| saved.log.as_ref());
        let metrics = MetricsLog::resume(&dir.join("metrics.jsonl"), step, mark)?;
        if let Some(saved) = saved {
            saved.remove_others(dir, keep);
        }
        let timing_path = dir.join("timing.jsonl");
        truncate_to(&timing_path, step)?;
        let timing = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&timing_path)
            .map_err(|e| Problem::io("open", &timing_path, e))?;
        Ok(Self { metrics, timing, timing_path })
    }

    /// Appends the lines of a step.
    ///
    /// # Errors
    /// Errors of the file system.
    pub(super) fn write(&mut self, lines: &StepLines) -> Result<(), TrainError> {
        self.metrics.push(&lines.metrics)?;
        let timing = serde_json::to_string(&lines.timing).map_err(Problem::defect)? + "\n";
        (self.timing.write_all(timing.as_bytes()))
            .map_err(|e| FileError::new(&self.timing_path, e))?;
        Ok(())
    }

    /// Flushes `metrics.jsonl` to the disk and returns its length and hash, for a checkpoint.
    ///
    /// # Errors
    /// Errors of the file system.
    pub(super) fn mark(&mut self) -> Result<LogMark, TrainError> {
        self.metrics.mark()
    }
}

/// Removes the lines of `path` that a run resumed at `step` writes again.
fn truncate_to(path: &Path, step: u64) -> Result<(), TrainError> {
    let Ok(file) = toolkit_system::input::open(path) else { return Ok(()) };
    let mut before = String::new();
    for line in BufReader::new(file).lines() {
        let line = line.map_err(|e| Problem::io("read", path, e))?;
        // A last line that a kill cut off does not parse and is dropped.
        let Ok(value) = serde_json::from_str::<serde_json::Value>(&line) else { continue };
        if value["step"].as_u64().is_some_and(|s| s < step) {
            before.push_str(&line);
            before.push('\n');
        }
    }
    Ok(write_bytes(path, before.as_bytes())?)
}
