//! `done.json`: the list of files that a stage, a control, a cell or a run has written, each with
//! its SHA-256.
//!
//! The list grows with every piece that is finished and is `whole` when nothing is left to do. It
//! is compared with the files when they are used again. Files that can be made again from others
//! are then made again; for the rest it is an error that names the file and both hashes.

use crate::files::{read_json, write_json, write_json_pretty};
use crate::run::damage::{Damage, Remedy, remedy, sha256_of};
pub use crate::run::folder::DONE_FILE;
use crate::run::folder::PIECES;
use crate::{LabError, Reporter};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use toolkit_system::problem::Problem;

/// Version of the list.
const FORMAT: u32 = 1;

/// List of the finished files of one folder.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Done {
    format: u32,
    /// `true` if nothing is left to do.
    pub whole: bool,
    /// SHA-256 of the files, by their path in the folder.
    files: BTreeMap<String, String>,
}

impl Default for Done {
    fn default() -> Self {
        Self { format: FORMAT, whole: false, files: BTreeMap::new() }
    }
}

impl Done {
    /// Reads the list of `dir`, if there is one.
    ///
    /// # Errors
    /// If it is there and cannot be read.
    pub fn load(dir: &Path) -> Result<Option<Self>, LabError> {
        let path = dir.join(DONE_FILE);
        let bytes = match toolkit_system::input::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(LabError::io(&path, &e)),
        };
        let wrong = |what: String| {
            LabError::from(Problem::new(format_args!("{}: {what}", path.display())).hint(
                "remove it: the same `toolkit run` command evaluates again what it listed and \
                writes it anew",
            ))
        };
        let done: Self = serde_json::from_slice(&bytes).map_err(|e| wrong(e.to_string()))?;
        match done.format {
            FORMAT => Ok(Some(done)),
            other => Err(wrong(format!("it is of version {other}, this program knows {FORMAT}"))),
        }
    }

    /// Returns the listed files that are not what was written.
    ///
    /// # Errors
    /// If one is there and cannot be read.
    pub fn damage(&self, dir: &Path) -> Result<Vec<Damage>, LabError> {
        let mut all = Vec::new();
        for (name, written) in &self.files {
            let file = dir.join(name);
            let found = match sha256_of(&file) {
                Ok(found) if found == *written => continue,
                Ok(found) => Some(found),
                Err(e) if e.kind() == ErrorKind::NotFound => None,
                Err(e) => return Err(LabError::io(&file, &e)),
            };
            all.push(Damage { file, written: written.clone(), found, name: name.clone() });
        }
        Ok(all)
    }

    /// Compares the list of `dir` with its files. Damaged files leave the list, and the log names
    /// them. If one of them has to be made again, the list is no longer whole.
    ///
    /// # Errors
    /// If a file is damaged that only training makes.
    pub fn settle(dir: &Path, reporter: &dyn Reporter) -> Result<Self, LabError> {
        let mut done = Self::load(dir)?.unwrap_or_default();
        let damage = done.damage(dir)?;
        if let Some(lost) = damage.iter().find(|damage| remedy(&damage.name) == Remedy::Train) {
            return Err(Problem::new(lost).hint(lost.hint()).into());
        }
        for damage in &damage {
            if damage.is_needless() {
                reporter
                    .note(&format!("{damage}; no result depends on it, and it leaves the list"));
            } else {
                reporter.note(&format!("{damage}; it is made again"));
                done.whole = false;
            }
            done.files.remove(&damage.name);
        }
        if !damage.is_empty() {
            done.save(dir)?;
        }
        Ok(done)
    }

    /// Adds a file of `dir` that was just written.
    ///
    /// # Errors
    /// Errors of the file system.
    pub fn add(&mut self, dir: &Path, name: &str) -> Result<(), LabError> {
        let file = dir.join(name);
        let sum = sha256_of(&file).map_err(|e| LabError::io(&file, &e))?;
        self.files.insert(name.to_owned(), sum);
        self.save(dir)
    }

    /// Returns `true` if a file is listed.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    /// Computes a result once and writes it to `name` in `dir`. A call after a kill reads that
    /// file.
    ///
    /// A file of an earlier version's form is made again, with a note, unless only training makes
    /// it.
    ///
    /// # Errors
    /// Those of `compute`, and errors of the file system.
    pub fn once<T: Serialize + DeserializeOwned>(
        &mut self,
        dir: &Path,
        name: &str,
        reporter: &dyn Reporter,
        compute: impl FnOnce() -> Result<T, LabError>,
    ) -> Result<T, LabError> {
        let path = dir.join(name);
        if self.has(name) {
            match read_json(&path) {
                Err(LabError::Problem(problem)) if remedy(name) == Remedy::Again => reporter.note(
                    &format!("{}; another version wrote it, and it is made again", problem.what),
                ),
                found => return found,
            }
        }
        let value = compute()?;
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|e| LabError::io(folder, &e))?;
        }
        write_json(&path, &value)?;
        self.add(dir, name)?;
        Ok(value)
    }

    /// Lists every file of `dir` and marks the list as whole.
    ///
    /// # Errors
    /// Errors of the file system; a listed file that changed meanwhile.
    pub fn seal(self, dir: &Path) -> Result<(), LabError> {
        let all = names(dir)?;
        self.seal_these(dir, all)
    }

    /// Lists the files `names` of `dir` and marks the list as whole.
    ///
    /// # Errors
    /// Errors of the file system; a listed file that changed meanwhile.
    pub(crate) fn seal_these(
        self,
        dir: &Path,
        names: impl IntoIterator<Item = String>,
    ) -> Result<(), LabError> {
        let mut sealed = Self { whole: true, ..Self::default() };
        for name in names {
            let file = dir.join(&name);
            let sum = sha256_of(&file).map_err(|e| LabError::io(&file, &e))?;
            // Another build may make some of them again, to other bits; what was trained stays what
            // it was.
            let trained = remedy(&name) == Remedy::Train;
            if let Some(written) =
                self.files.get(&name).filter(|written| trained && **written != sum)
            {
                let damage = Damage { file, written: written.clone(), found: Some(sum), name };
                let hint = "do not change a run while it goes on; run it again";
                return Err(Problem::new(damage).hint(hint).into());
            }
            sealed.files.insert(name, sum);
        }
        sealed.save(dir)
    }

    fn save(&self, dir: &Path) -> Result<(), LabError> {
        write_json_pretty(&dir.join(DONE_FILE), self)
    }
}

/// Compares some files of `dir` with its list. Without a list there is nothing to compare with.
///
/// # Errors
/// If one is not what was written.
pub fn check(dir: &Path, files: &[&str], hint: &str) -> Result<(), LabError> {
    let Some(mut done) = Done::load(dir)? else { return Ok(()) };
    done.files.retain(|name, _| files.contains(&name.as_str()));
    match done.damage(dir)?.first() {
        Some(damage) => Err(Problem::new(damage).hint(hint).into()),
        None => Ok(()),
    }
}

/// Returns the paths of all files below `dir` but the list itself, pieces and hidden ones.
fn names(dir: &Path) -> Result<Vec<String>, LabError> {
    fn walk(dir: &Path, before: &str, all: &mut Vec<String>) -> Result<(), LabError> {
        for entry in std::fs::read_dir(dir).map_err(|e| LabError::io(dir, &e))? {
            let entry = entry.map_err(|e| LabError::io(dir, &e))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.')
                || (before.is_empty() && [DONE_FILE, PIECES].contains(&name.as_str()))
            {
                continue;
            }
            let name = format!("{before}{name}");
            match entry.path().is_dir() {
                true => walk(&entry.path(), &format!("{name}/"), all)?,
                false => all.push(name),
            }
        }
        Ok(())
    }
    let mut all = Vec::new();
    walk(dir, "", &mut all)?;
    Ok(all)
}
