//! Inputs to begin with: good files of the fixtures, and files that once made a reader fail.

use crate::targets::Target;
use std::path::{Path, PathBuf};

/// Largest file that is taken: damage to larger ones finds the same and takes longer.
const LARGEST: u64 = 100_000;

/// The repository.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The folder of files that once made the reader of a target fail.
#[must_use]
pub fn kept(target: Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name)
}

/// Reads the corpus of a target, in order of names.
#[must_use]
pub fn of(target: Target) -> Vec<(PathBuf, Vec<u8>)> {
    let mut paths = files(&kept(target), &[]);
    for (folder, endings) in target.good {
        paths.extend(files(&root().join(folder), endings));
    }
    paths
        .into_iter()
        .filter_map(|path| std::fs::read(&path).ok().map(|bytes| (path, bytes)))
        .collect()
}

/// Small files right in a folder or one below it, of the given endings, if any are given.
fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let entries = |folder: &Path| {
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
    };
    let mut all: Vec<PathBuf> = entries(folder)
        .flat_map(|path| if path.is_dir() { entries(&path).collect() } else { vec![path] })
        .collect();
    let name = |path: &Path| {
        path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default()
    };
    all.retain(|path| {
        endings.is_empty() || endings.iter().any(|ending| name(path).ends_with(ending))
    });
    all.retain(|path| {
        std::fs::metadata(path).is_ok_and(|data| data.is_file() && data.len() <= LARGEST)
    });
    all.sort();
    all
}
