//! Samples that could not be used: counted, named in `data.jsonl`, replaced, and limited.

use crate::TrainError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use toolkit_system::files::{FileError, write_bytes};
use toolkit_system::problem::Problem;

/// Name of the log of damaged samples, in the folder of a training.
pub const DATA_LOG: &str = "data.jsonl";

/// Share of samples that may be damaged, unless an experiment says another.
pub const MAX_DAMAGED: f64 = 0.01;

/// Number of samples that the share is at least taken of: the first may be the damaged ones.
const LEAST_DRAWN: f64 = 1000.0;

/// Number of files that are named if there is too much damage.
const NAMED: usize = 3;

/// A line of [`DATA_LOG`]: a sample that could not be used.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct DamageLine {
    /// Step, from 0.
    pub step: u64,
    /// Position in the sequence of all samples of the training.
    pub position: u64,
    /// Id of the item.
    pub id: String,
    /// Fault.
    pub reason: String,
    /// Id of the item that is used in its place.
    pub replaced_by: String,
}

/// The log of damaged samples of one training.
#[derive(Debug)]
pub struct DamageLog {
    path: PathBuf,
    /// Largest share of damaged samples.
    share: f64,
    damaged: u64,
    /// Number of damaged samples of each shard or folder.
    files: BTreeMap<String, u64>,
    /// First step whose lines are not in the file.
    next: Option<u64>,
}

impl DamageLog {
    /// Creates the log in the folder of a training. `share` of the samples may be damaged.
    #[must_use]
    pub fn new(dir: &Path, share: f64) -> Self {
        Self { path: dir.join(DATA_LOG), share, damaged: 0, files: BTreeMap::new(), next: None }
    }

    /// Adds the damage of a step. `drawn` samples were drawn up to its end.
    ///
    /// A step that is asked for again, or after a kill, adds nothing twice.
    ///
    /// # Errors
    /// If there is more damage than allowed, naming the worst files; errors of the file system.
    pub fn add(&mut self, step: u64, drawn: u64, lines: &[DamageLine]) -> Result<(), TrainError> {
        if self.next.is_none() {
            self.load(step)?;
        }
        if self.next.is_some_and(|next| step < next) {
            return Ok(());
        }
        if !lines.is_empty() {
            self.append(lines)?;
        }
        self.next = Some(step + 1);
        if self.damaged as f64 > self.share * (drawn as f64).max(LEAST_DRAWN) {
            return Err(self.too_many(drawn).into());
        }
        Ok(())
    }

    /// Reads the lines before `step`. Later ones are of steps that a kill undid: they go.
    fn load(&mut self, step: u64) -> Result<(), TrainError> {
        let text = match toolkit_system::input::read(&self.path) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(Problem::io("read", &self.path, e).into()),
        };
        let mut kept = Vec::new();
        for line in text.split_inclusive(|&byte| byte == b'\n') {
            // A kill may have cut off the last line.
            let Ok(read) = serde_json::from_slice::<DamageLine>(line) else { continue };
            if read.step < step {
                kept.extend_from_slice(line);
                self.count(&read);
            }
        }
        if kept != text {
            write_bytes(&self.path, &kept)?;
        }
        self.next = Some(step);
        Ok(())
    }

    fn count(&mut self, line: &DamageLine) {
        self.damaged += 1;
        *self.files.entry(file_of(&line.id).to_owned()).or_default() += 1;
    }

    fn append(&mut self, lines: &[DamageLine]) -> Result<(), TrainError> {
        let fail = |e| FileError::new(&self.path, e);
        let mut text = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut text, line).map_err(Problem::defect)?;
            text.push(b'\n');
        }
        let open = OpenOptions::new().create(true).append(true).open(&self.path);
        let mut file: File = open.map_err(fail)?;
        file.write_all(&text).map_err(fail)?;
        lines.iter().for_each(|line| self.count(line));
        Ok(())
    }

    fn too_many(&self, drawn: u64) -> Problem {
        let mut worst: Vec<(&String, &u64)> = self.files.iter().collect();
        worst.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
        let worst = worst.iter().take(NAMED).map(|(file, count)| format!("{file} ({count})"));
        let worst: Vec<String> = worst.collect();
        let what = format!(
            "{} of {drawn} samples could not be used, most of them in {}",
            self.damaged,
            worst.join(", ")
        );
        let hint = format!(
            "`toolkit data check` names all; `data.max_damaged` allows for a share of {}",
            self.share
        );
        Problem::new(what).at(self.path.display()).hint(hint)
    }
}

/// Returns the shard or folder of an item.
fn file_of(id: &str) -> &str {
    id.rsplit_once('/').map_or(id, |(file, _)| file)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn line(step: u64, id: &str) -> DamageLine {
        let (reason, replaced_by) = ("cut off".to_owned(), "b/1".to_owned());
        DamageLine { step, position: step * 8, id: id.to_owned(), reason, replaced_by }
    }

    #[test]
    fn a_killed_training_has_the_lines_of_one_that_was_not() {
        let whole = tempfile::tempdir().unwrap();
        let killed = tempfile::tempdir().unwrap();
        let lines = |step| if step % 3 == 0 { vec![line(step, "a.tar/7")] } else { Vec::new() };
        let run = |dir: &Path, from: u64, to: u64| {
            let mut log = DamageLog::new(dir, 0.5);
            (from..to).for_each(|step| log.add(step, step * 8, &lines(step)).unwrap());
        };
        run(whole.path(), 0, 10);
        // Killed after step 7, in the middle of a line; its checkpoint is of step 4.
        run(killed.path(), 0, 8);
        let path = killed.path().join(DATA_LOG);
        let mut text = std::fs::read(&path).unwrap();
        text.truncate(text.len() - 9);
        std::fs::write(&path, text).unwrap();
        run(killed.path(), 4, 10);
        let read = |dir: &Path| std::fs::read_to_string(dir.join(DATA_LOG)).unwrap();
        assert_eq!(read(whole.path()), read(killed.path()));
        assert_eq!(read(whole.path()).lines().count(), 4);
    }

    #[test]
    fn too_much_damage_names_the_worst_file() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = DamageLog::new(dir.path(), 0.01);
        for step in 0..10 {
            let id = if step < 7 { "worse.tar/1" } else { "bad.tar/2" };
            log.add(step, (step + 1) * 8, &[line(step, id)]).unwrap();
        }
        let error = log.add(10, 88, &[line(10, "bad.tar/3")]).unwrap_err().to_string();
        assert!(error.contains("11 of 88") && error.contains("worse.tar (7), bad.tar (4)"));
        // Asking again for a step that was counted adds nothing.
        assert!(log.add(10, 88, &[line(10, "bad.tar/3")]).is_ok());
    }
}
