//! Inventories: SHA-256, length and time of each file of a folder when it was fetched.
//!
//! The file with them lies next to the folder. Before a file is used, its length and time are
//! compared. If the time differs (after a copy, say), the bytes are hashed once and the new time is
//! written.

use crate::StepProgress;
use crate::digest::sha256_of;
use crate::lock::lock;
use crate::paths::{is_commit, write_renamed};
use crate::problem::io;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::Metadata;
use std::path::{Component, Path, PathBuf};
use std::time::UNIX_EPOCH;
use toolkit_system::problem::Problem;

/// A file of an inventory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// SHA-256 in lower-case hex.
    pub sha256: String,
    size: u64,
    /// Time in nanoseconds since 1970; `None` where the system has no times.
    modified: Option<u64>,
}

impl Entry {
    fn new(sha256: String, data: &Metadata) -> Self {
        Self { sha256, size: data.len(), modified: modified(data) }
    }
}

fn modified(data: &Metadata) -> Option<u64> {
    data.modified().ok()?.duration_since(UNIX_EPOCH).ok()?.as_nanos().try_into().ok()
}

/// Thoroughness of comparing a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// By length and time; by its bytes only if the time differs.
    Quick,
    /// By its bytes.
    Whole,
}

/// Files by their names below the folder, with `/`.
type Entries = BTreeMap<String, Entry>;

/// The inventory of one folder of a store.
#[derive(Clone, Debug)]
pub struct Inventory {
    root: PathBuf,
    folder: PathBuf,
    file: PathBuf,
    /// `true` for a package: it is fetched whole, so a file that is gone is damage. Of a
    /// repository, single files may be fetched.
    complete: bool,
}

impl Inventory {
    /// Finds the inventory of a commit of a repository, whose own folder is `repo`.
    pub fn of_commit(root: &Path, repo: &Path, commit: &str) -> Self {
        let file = repo.join("inventories").join(format!("{commit}.json"));
        Self { root: root.to_owned(), folder: repo.join(commit), file, complete: false }
    }

    /// Finds the inventory of an unpacked package.
    pub fn of_package(root: &Path, folder: &Path) -> Self {
        let mut name = folder.file_name().unwrap_or_default().to_owned();
        name.push(".files.json");
        Self {
            root: root.to_owned(),
            folder: folder.to_owned(),
            file: folder.with_file_name(name),
            complete: true,
        }
    }

    /// Finds the inventory that `path` of the store at `root` belongs to, and its name there, which
    /// is empty for the folder itself.
    pub fn of(root: &Path, path: &Path) -> Option<(Self, String)> {
        let below = path.strip_prefix(root).ok()?;
        let parts: Option<Vec<&str>> = below
            .components()
            .map(|part| match part {
                Component::Normal(part) => part.to_str(),
                _ => None,
            })
            .collect();
        let parts = parts?;
        match parts.as_slice() {
            ["hf", repo, commit, rest @ ..] if is_commit(commit) => {
                Some((Self::of_commit(root, &root.join("hf").join(repo), commit), rest.join("/")))
            }
            [manager @ ("pip" | "apt" | "npm"), package, rest @ ..] => {
                Some((Self::of_package(root, &root.join(manager).join(package)), rest.join("/")))
            }
            _ => None,
        }
    }

    /// Returns `true` if a missing file is damage.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Reads the entries; `None` if there are none, as in stores of older versions.
    pub fn read(&self) -> Result<Option<Entries>, Problem> {
        let text = match std::fs::read(&self.file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io("read", &self.file)(error)),
        };
        serde_json::from_slice(&text).map(Some).map_err(|error| {
            Problem::new(format_args!("bad inventory: {error}"))
                .at(self.file.display())
                .hint("remove this file, then fetch again")
        })
    }

    /// Replaces the entries.
    pub fn write(&self, entries: &Entries) -> Result<(), Problem> {
        let text = serde_json::json!(entries).to_string();
        write_renamed(&self.file, &(text + "\n"))
    }

    /// Makes entries of all files in `folder`, which is renamed to this one's folder afterwards.
    pub fn count(folder: &Path, progress: &dyn StepProgress) -> Result<Entries, Problem> {
        let mut entries = Entries::new();
        for name in files_below(folder) {
            let path = folder.join(&name);
            let sha256 = sha256_of(&path, progress)?;
            let data = std::fs::metadata(&path).map_err(io("read", &path))?;
            entries.insert(name, Entry::new(sha256, &data));
        }
        Ok(entries)
    }

    /// Adds a file, or replaces its entry.
    pub fn put(
        &self,
        name: &str,
        sha256: &str,
        progress: &dyn StepProgress,
    ) -> Result<(), Problem> {
        let path = self.folder.join(name);
        let data = std::fs::metadata(&path).map_err(io("read", &path))?;
        let entry = Entry::new(sha256.to_owned(), &data);
        self.update(&BTreeMap::from([(name.to_owned(), entry)]), progress)
    }

    /// Merges entries under a lock, since other processes may add files of the same folder. An
    /// inventory that cannot be read is replaced.
    fn update(&self, new: &Entries, progress: &dyn StepProgress) -> Result<(), Problem> {
        let key =
            self.file.strip_prefix(&self.root).unwrap_or(&self.file).to_string_lossy().into_owned();
        let _lock = lock(&self.root, &key, progress)?;
        let mut entries = self.read().ok().flatten().unwrap_or_default();
        entries.extend(new.iter().map(|(name, entry)| (name.clone(), entry.clone())));
        self.write(&entries)
    }

    /// Compares `name`, or all below it if it is a folder; an empty one means all. Returns the
    /// damaged files, each with a description.
    pub fn damaged(
        &self,
        name: &str,
        depth: Depth,
        progress: &dyn StepProgress,
    ) -> Result<Vec<(PathBuf, String)>, Problem> {
        let (mut bad, mut moved) = (Vec::new(), Entries::new());
        let folder = if name.is_empty() { String::new() } else { format!("{name}/") };
        for (own, entry) in self.read()?.unwrap_or_default() {
            if own != name && !own.starts_with(&folder) {
                continue;
            }
            let path = self.folder.join(&own);
            if !self.complete && !path.exists() {
                continue;
            }
            match compare(&path, &entry, depth, progress) {
                Ok(Some(again)) => drop(moved.insert(own, again)),
                Ok(None) => {}
                Err(what) => bad.push((path, what)),
            }
        }
        if !moved.is_empty() {
            // In a store that may only be read the bytes are hashed each time.
            let _ = self.update(&moved, progress);
        }
        Ok(bad)
    }
}

/// Compares a file with its entry. Returns a new entry if only the time differs.
fn compare(
    path: &Path,
    entry: &Entry,
    depth: Depth,
    progress: &dyn StepProgress,
) -> Result<Option<Entry>, String> {
    let data = match std::fs::metadata(path) {
        Ok(data) => data,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err("it is gone".to_owned());
        }
        Err(error) => return Err(error.to_string()),
    };
    if data.len() != entry.size {
        return Err(format!("it has {} bytes, {} came", data.len(), entry.size));
    }
    let same_time = modified(&data) == entry.modified;
    if depth == Depth::Quick && same_time {
        return Ok(None);
    }
    let sha256 = sha256_of(path, progress).map_err(|error| error.to_string())?;
    if sha256 != entry.sha256 {
        return Err(format!("its sha256 is {sha256}, that of what came was {}", entry.sha256));
    }
    Ok((!same_time).then(|| Entry::new(sha256, &data)))
}

/// Lists the files below a folder, with `/`, sorted. Links are no files of their own.
pub fn files_below(folder: &Path) -> Vec<String> {
    let mut all = Vec::new();
    let mut todo = vec![(folder.to_owned(), String::new())];
    while let Some((folder, start)) = todo.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => todo.push((entry.path(), format!("{start}{name}/"))),
                Ok(kind) if kind.is_file() => all.push(format!("{start}{name}")),
                _ => {}
            }
        }
    }
    all.sort();
    all
}
