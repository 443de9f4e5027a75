//! The check of a whole store: each file against its digest.

use crate::digest::sha256_of;
use crate::inventory::{Inventory, files_below};
use crate::paths::{is_commit, is_sha256};
use crate::problem::io;
use crate::{StepProgress, Store};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use toolkit_system::problem::Problem;

/// The outcome of [`Store::check`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Number of files with the digest they were fetched with.
    pub whole: u64,
    /// Bytes in these files.
    pub bytes: u64,
    /// Number of files without a record; older versions wrote none.
    pub unknown: u64,
    /// Files with another digest, or without one of their inventory.
    pub damaged: Vec<Damage>,
}

/// A damaged file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Path of the file.
    pub path: PathBuf,
    /// Description of the damage.
    pub what: String,
}

impl Store {
    /// Compares the bytes of all fetched files with their digests. Asks no network, changes no
    /// file.
    ///
    /// # Errors
    /// If the folder of the store cannot be read. A damaged file is no error but in the result.
    pub fn check(&self, progress: &dyn StepProgress) -> Result<Checked, Problem> {
        let mut checked = Checked::default();
        for repo in folders(&self.root().join("hf"))? {
            self.check_repo(&repo, &mut checked, progress)?;
        }
        for manager in ["pip", "apt", "npm"] {
            for folder in folders(&self.root().join(manager))? {
                let inventory = Inventory::of_package(self.root(), &folder);
                checked.add(&folder, &inventory, &|_: &Path| None, progress);
            }
        }
        Ok(checked)
    }

    fn check_repo(
        &self,
        repo: &Path,
        checked: &mut Checked,
        progress: &dyn StepProgress,
    ) -> Result<(), Problem> {
        // Large files have a second name, their sha256. Both names have the same bytes.
        let mut seen = BTreeSet::new();
        let mut blobs = Vec::new();
        for name in files_below(&repo.join("blobs")) {
            let path = repo.join("blobs").join(&name);
            blobs.push((identity(&path), name, path));
        }
        for commit in folders(repo)? {
            let name = commit.file_name().unwrap_or_default().to_string_lossy();
            if !is_commit(&name) {
                continue;
            }
            let digest_of = |path: &Path| {
                let own = identity(path)?;
                let (_, name, _) = blobs.iter().find(|(other, ..)| *other == Some(own))?;
                is_sha256(name).then(|| name.clone())
            };
            checked.add(
                &commit,
                &Inventory::of_commit(self.root(), repo, &name),
                &digest_of,
                progress,
            );
            seen.extend(
                files_below(&commit).iter().filter_map(|name| identity(&commit.join(name))),
            );
        }
        for (own, name, path) in blobs {
            if own.is_none_or(|own| !seen.contains(&own)) && is_sha256(&name) {
                checked.note(&path, compare(&path, &name, progress));
            }
        }
        Ok(())
    }
}

impl Checked {
    /// Adds the files of a folder. `digest_of` may know the digest of a file that the inventory
    /// lacks.
    fn add(
        &mut self,
        folder: &Path,
        inventory: &Inventory,
        digest_of: &dyn Fn(&Path) -> Option<String>,
        progress: &dyn StepProgress,
    ) {
        let entries = match inventory.read() {
            Ok(entries) => entries.unwrap_or_default(),
            Err(error) => {
                return self
                    .damaged
                    .push(Damage { path: folder.to_owned(), what: error.to_string() });
            }
        };
        for name in files_below(folder) {
            let path = folder.join(&name);
            match entries.get(&name).map(|entry| entry.sha256.clone()).or_else(|| digest_of(&path))
            {
                Some(sha256) => self.note(&path, compare(&path, &sha256, progress)),
                None => self.unknown += 1,
            }
        }
        for name in
            entries.keys().filter(|name| inventory.is_complete() && !folder.join(name).is_file())
        {
            self.damaged.push(Damage { path: folder.join(name), what: "it is gone".to_owned() });
        }
    }

    fn note(&mut self, path: &Path, outcome: Result<u64, String>) {
        match outcome {
            Ok(bytes) => {
                self.whole += 1;
                self.bytes += bytes;
            }
            Err(what) => self.damaged.push(Damage { path: path.to_owned(), what }),
        }
    }
}

/// Compares a file with its digest and returns its length in bytes.
fn compare(path: &Path, sha256: &str, progress: &dyn StepProgress) -> Result<u64, String> {
    let data = std::fs::metadata(path).map_err(|error| error.to_string())?;
    let got = sha256_of(path, progress).map_err(|error| error.to_string())?;
    if got == sha256 { Ok(data.len()) } else { Err(format!("its sha256 is {got}, not {sha256}")) }
}

/// Lists the folders in a folder, sorted; none if it does not exist.
fn folders(of: &Path) -> Result<Vec<PathBuf>, Problem> {
    let entries = match std::fs::read_dir(of) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io("read", of)(error)),
    };
    let mut all: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    all.sort();
    Ok(all)
}

/// Returns the identity of a file that may have several names; `None` where the system has none.
#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    path.metadata().ok().map(|data| (data.dev(), data.ino()))
}

#[cfg(not(unix))]
fn identity(_: &Path) -> Option<(u64, u64)> {
    None
}
