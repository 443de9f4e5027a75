//! `done.json`: the list of files that a stage, a control, a cell or a run has written, each with
//! its SHA-256.
//!
//! The list grows with every piece that is finished and is `whole` when nothing is left to do. It
//! is compared with the files when they are used again. Files that can be made again from others
//! are then made again; for the rest it is an error that names the file and both hashes.

use crate::files::{read_json, write_json, write_json_pretty};
use crate::run::folder::PIECES;
use crate::run::sealed::{self, MANIFEST};
use crate::{LabError, Reporter};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// Name of the list in its folder.
pub const DONE_FILE: &str = "done.json";

/// Version of the list.
const FORMAT: u32 = 1;

/// The list of one folder.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Done {
    format: u32,
    /// True if nothing is left to do.
    pub whole: bool,
    /// SHA-256 of the files, by their path in the folder.
    files: BTreeMap<String, String>,
}

impl Default for Done {
    fn default() -> Self {
        Self { format: FORMAT, whole: false, files: BTreeMap::new() }
    }
}

/// A file that is not what was written.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Damage {
    /// The file.
    pub file: PathBuf,
    /// SHA-256 of the file when it was written.
    pub written: String,
    /// SHA-256 of the file now; nothing if it is gone.
    pub found: Option<String>,
    /// Path of the file in the folder of the list.
    #[serde(skip)]
    name: String,
}

impl Damage {
    /// Says whether no result depends on the file: it holds times, or what only training that is
    /// over would read.
    #[must_use]
    pub fn is_needless(&self) -> bool {
        remedy(&self.name) == Remedy::Needless
    }

    /// The way back, for a hint.
    #[must_use]
    pub fn hint(&self) -> String {
        let dir = self
            .file
            .ancestors()
            .nth(Path::new(&self.name).components().count())
            .unwrap_or(&self.file);
        match remedy(&self.name) {
            Remedy::Needless => "no result depends on it".to_owned(),
            Remedy::Again if self.name == MANIFEST => sealed::manifest_hint(dir),
            Remedy::Again => sealed::AGAIN.to_owned(),
            Remedy::Train => {
                format!(
                    "remove {}: the same `toolkit run` command trains it again, to the same bits",
                    dir.display()
                )
            }
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, written) = (self.file.display(), &self.written);
        match &self.found {
            Some(found) => {
                write!(f, "{file}: its SHA-256 is {found}, `{DONE_FILE}` says {written}")
            }
            None => write!(f, "{file}: it is gone, `{DONE_FILE}` lists it"),
        }
    }
}

/// The way back from a damaged file.
#[derive(Debug, PartialEq)]
enum Remedy {
    /// Nothing reads it any more, or it holds times only.
    Needless,
    /// It is made again from files that are whole.
    Again,
    /// Only training makes it.
    Train,
}

fn remedy(name: &str) -> Remedy {
    let file = name.rsplit('/').next().unwrap_or(name);
    if file.ends_with(".optimizer.safetensors")
        || ["timing.jsonl", "seconds.json", "cost.json"].contains(&file)
    {
        return Remedy::Needless;
    }
    let trained =
        file.ends_with(".safetensors") || ["metrics.jsonl", "latest.json"].contains(&file);
    if trained || name.starts_with("eval/") { Remedy::Train } else { Remedy::Again }
}

impl Done {
    /// The list of `dir`, if there is one.
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
            LabError::new(
                format!("{}: {what}", path.display()),
                "remove it: the same `toolkit run` command evaluates again what it listed and \
                writes it anew",
            )
        };
        let done: Self = serde_json::from_slice(&bytes).map_err(|e| wrong(e.to_string()))?;
        match done.format {
            FORMAT => Ok(Some(done)),
            other => Err(wrong(format!("it is of version {other}, this program knows {FORMAT}"))),
        }
    }

    /// The listed files that are not what was written.
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

    /// Compares the list of `dir` with its files. Damaged files leave the list, and the log says
    /// so. If one of them can be made again and has to be, the list is no longer whole.
    ///
    /// # Errors
    /// If a file is damaged that only training makes.
    pub fn settle(dir: &Path, reporter: &dyn Reporter) -> Result<Self, LabError> {
        let mut done = Self::load(dir)?.unwrap_or_default();
        let damage = done.damage(dir)?;
        if let Some(lost) = damage.iter().find(|damage| remedy(&damage.name) == Remedy::Train) {
            return Err(LabError::new(lost.to_string(), &lost.hint()));
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

    /// Says whether a file is listed.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    /// A result that is computed once: a call after a kill reads what the call before it wrote to
    /// `name` in `dir`.
    ///
    /// # Errors
    /// Those of `compute`, or whatever the file system says.
    pub fn once<T: Serialize + DeserializeOwned>(
        &mut self,
        dir: &Path,
        name: &str,
        compute: impl FnOnce() -> Result<T, LabError>,
    ) -> Result<T, LabError> {
        let path = dir.join(name);
        if self.has(name) {
            return read_json(&path);
        }
        let value = compute()?;
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|e| LabError::io(folder, &e))?;
        }
        write_json(&path, &value)?;
        self.add(dir, name)?;
        Ok(value)
    }

    /// Lists every file of `dir`: it is whole.
    ///
    /// # Errors
    /// Errors of the file system; a listed file that changed meanwhile.
    pub fn seal(self, dir: &Path) -> Result<(), LabError> {
        let all = names(dir)?;
        self.seal_these(dir, all)
    }

    /// As [`Done::seal`], with the files `names` of `dir` alone.
    ///
    /// # Errors
    /// As there.
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
                return Err(LabError::new(
                    damage.to_string(),
                    "do not change a run while it goes on; run it again",
                ));
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
        Some(damage) => Err(LabError::new(damage.to_string(), hint)),
        None => Ok(()),
    }
}

/// Paths of all files below `dir` but the list itself, pieces and hidden ones.
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

/// SHA-256 of a file, in hexadecimal, whatever its size.
fn sha256_of(path: &Path) -> std::io::Result<String> {
    let (mut file, mut digest, mut buffer) =
        (toolkit_system::input::open(path)?, Sha256::new(), vec![0; 1 << 18]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            read => digest.update(&buffer[..read]),
        }
    }
}
