//! `metrics.jsonl`: a line for each step, checked against the checkpoint.
//!
//! A checkpoint holds the length and the SHA-256 of the log at its step. The log is on the disk
//! before the checkpoint gets its name. So after any kill the log begins with the bytes that the
//! checkpoint names. The steps after them are computed again.

use crate::TrainError;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use toolkit_system::digest::{hex, sha256_hex};
use toolkit_system::files::FileError;
use toolkit_system::problem::Problem;

/// A line of `metrics.jsonl`.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
pub struct MetricLine {
    /// Step, from 0.
    pub step: u64,
    /// Learning rate.
    pub rate: f64,
    /// Global norm of the gradient before clipping.
    pub grad_norm: f64,
    /// Loss, parts, accuracies, baselines.
    #[serde(flatten)]
    pub metrics: BTreeMap<String, f64>,
}

/// Length and hash of a log.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct LogMark {
    /// Bytes.
    pub bytes: u64,
    /// SHA-256 of these bytes, in hexadecimal.
    pub sha256: String,
}

/// A log that is being written.
pub(crate) struct MetricsLog {
    path: PathBuf,
    file: File,
    digest: Sha256,
    bytes: u64,
}

impl MetricsLog {
    /// Opens the log `path` and truncates it to the first `step` steps, those of the checkpoint.
    ///
    /// `mark` is the checkpoint's; older versions saved none.
    ///
    /// # Errors
    /// If one of these lines is missing or changed, and errors of the file system.
    pub fn resume(path: &Path, step: u64, mark: Option<&LogMark>) -> Result<Self, TrainError> {
        let fail = |e: std::io::Error| FileError::new(path, e);
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)
            .map_err(fail)?;
        let mut found = Vec::new();
        file.read_to_end(&mut found).map_err(fail)?;
        let valid = &found[..checked_length(path, step, mark, &found)?];
        // The last line of an older version may have no end.
        let end: &[u8] = if valid.last().is_some_and(|last| *last != b'\n') { b"\n" } else { b"" };
        let begin = SeekFrom::Start(valid.len() as u64);
        let truncated = file
            .set_len(valid.len() as u64)
            .and_then(|()| file.seek(begin))
            .and_then(|_| file.write_all(end));
        truncated.map_err(fail)?;
        let digest = Sha256::new().chain_update(valid).chain_update(end);
        Ok(Self { path: path.to_owned(), file, digest, bytes: (valid.len() + end.len()) as u64 })
    }

    /// Appends a line.
    ///
    /// # Errors
    /// Errors of the file system.
    pub fn push(&mut self, line: &MetricLine) -> Result<(), TrainError> {
        let text = serde_json::to_string(line).map_err(Problem::defect)? + "\n";
        self.file.write_all(text.as_bytes()).map_err(|e| FileError::new(&self.path, e))?;
        self.digest.update(text.as_bytes());
        self.bytes += text.len() as u64;
        Ok(())
    }

    /// Flushes the log to the disk and returns its length and hash.
    ///
    /// # Errors
    /// Errors of the file system.
    pub fn mark(&mut self) -> Result<LogMark, TrainError> {
        self.file.sync_data().map_err(|e| FileError::new(&self.path, e))?;
        Ok(LogMark { bytes: self.bytes, sha256: hex(&self.digest.clone().finalize()) })
    }
}

/// Returns the length of the part of the log `found` that belongs to the checkpoint.
///
/// # Errors
/// If the log lacks one of its `step` steps, or its hash is not `mark`'s.
fn checked_length(
    path: &Path,
    step: u64,
    mark: Option<&LogMark>,
    found: &[u8],
) -> Result<usize, TrainError> {
    let bad =
        |what: String| Err(TrainError::BadCheckpoint { path: path.display().to_string(), what });
    let (lines, end) = steps_before(found, step);
    let wanted = mark.map(|mark| (usize::try_from(mark.bytes).unwrap_or(usize::MAX), &mark.sha256));
    if let Some((length, sha256)) = wanted {
        let hash = found.get(..length).map(sha256_hex);
        if hash.as_ref() == Some(sha256) {
            return Ok(length);
        }
        if lines.len() as u64 == step {
            let hash = hash.unwrap_or_else(|| "none: it is shorter".to_owned());
            return bad(format!(
                "the SHA-256 of its first {length} bytes is {hash}, the checkpoint says {sha256}"
            ));
        }
    }
    if lines.len() as u64 == step {
        return Ok(end);
    }
    let first = (0..step).find(|at| !lines.contains(at)).unwrap_or_default();
    let last = (first..step).find(|at| lines.contains(at)).unwrap_or(step) - 1;
    let steps = if first == last {
        format!("step {first} is")
    } else {
        format!("steps {first} to {last} are")
    };
    let missing = step - lines.len() as u64;
    bad(format!(
        "the log of {steps} missing ({missing} of the {step} steps that the checkpoint has done)"
    ))
}

/// Returns the steps below `step` in the log, and the offset at which the last of them ends.
fn steps_before(log: &[u8], step: u64) -> (BTreeSet<u64>, usize) {
    let (mut steps, mut at, mut end) = (BTreeSet::new(), 0, 0);
    for line in log.split_inclusive(|byte| *byte == b'\n') {
        at += line.len();
        // A line that a kill cut off does not parse.
        if let Ok(line) = serde_json::from_slice::<MetricLine>(line)
            && line.step < step
        {
            steps.insert(line.step);
            end = at;
        }
    }
    (steps, end)
}
