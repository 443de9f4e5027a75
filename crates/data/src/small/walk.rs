//! Files below a folder, always in the same order.

use super::NAME;
use crate::DataError;
use std::path::{Path, PathBuf};

/// Folders of packages are not deeper than this; symbolic links are not followed, so nothing goes
/// in circles.
const DEEPEST: usize = 12;

/// Returns the first of some folders below `root` that is there. A package may have been unpacked
/// with or without the folder that its archive has around everything.
pub(crate) fn below(root: &Path, choices: &[&str]) -> Result<PathBuf, DataError> {
    choices.iter().map(|choice| root.join(choice)).find(|path| path.is_dir()).ok_or_else(|| {
        let first = choices.first().copied().unwrap_or_default();
        DataError::package(NAME, format!("there is no folder {}", root.join(first).display()))
    })
}

/// Lists all files below `dir` with one of the endings (lower case), as paths relative to it with
/// `/`, sorted.
pub(crate) fn files(dir: &Path, endings: &[&str]) -> Result<Vec<String>, DataError> {
    let mut found = Vec::new();
    let mut open = vec![(dir.to_path_buf(), String::new(), 0)];
    while let Some((path, prefix, depth)) = open.pop() {
        let fail = |source| DataError::Read { path: path.clone(), source };
        for entry in std::fs::read_dir(&path).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let kind = entry.file_type().map_err(fail)?;
            // Names that are no UTF-8 are none of ours.
            let Some(name) = entry.file_name().to_str().map(|name| format!("{prefix}{name}"))
            else {
                continue;
            };
            if kind.is_dir() && depth < DEEPEST {
                open.push((entry.path(), format!("{name}/"), depth + 1));
            } else if kind.is_file() && has_ending(&name, endings) {
                found.push(name);
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Returns `true` if a name has one of the endings, in any case.
pub(crate) fn has_ending(name: &str, endings: &[&str]) -> bool {
    name.rsplit_once('.')
        .is_some_and(|(_, ending)| endings.contains(&ending.to_ascii_lowercase().as_str()))
}

/// Returns the name without folder and ending: `a/b/c.png` gives `c`.
pub(crate) fn stem(path: &str) -> &str {
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// Returns the path without its ending: `a/b/c.png` gives `a/b/c`.
pub(crate) fn without_ending(path: &str) -> &str {
    path.rsplit_once('.').map_or(path, |(before, _)| before)
}
