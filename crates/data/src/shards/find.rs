//! From a name to the shards that it stands for.

use super::braces;
use super::place::{ShardFile, ShardForm, ShardKind};
use crate::{DataError, is_picture};
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Names of missing shards that an error lists.
const LISTED: usize = 3;
const FORMS: &str = "write a path, a pattern such as `part-*.tar` or `part-{00..15}.tar`, several \
    of them with `::` in between, or a folder of shards";

/// Finds the shards that patterns stand for, sorted by path. Patterns are separated by `::`, or
/// by blanks; each is a file, a folder, a brace list or a glob. Relative ones start from `root`.
///
/// # Errors
/// If a pattern is wrong or stands for nothing, or a shard that is named is not there.
pub(super) fn find(
    patterns: &[String],
    root: &Path,
    form: ShardForm,
) -> Result<Vec<ShardFile>, DataError> {
    let (mut found, mut missing) = (BTreeSet::new(), Vec::new());
    for pattern in patterns.iter().flat_map(|pattern| words(pattern, root)) {
        for name in braces::expand(&pattern)? {
            match of_name(&root.join(&name), form, &mut found)? {
                true => {}
                false => missing.push(name),
            }
        }
    }
    if let Some(first) = missing.first() {
        let more = missing.iter().take(LISTED).skip(1).map(|name| format!(", {name}"));
        let more = more.collect::<String>() + if missing.len() > LISTED { ", .." } else { "" };
        let what = match missing.len() {
            1 => format!("there is no shard {first}"),
            many => format!("{many} shards are not there: {first}{more}"),
        };
        return Err(DataError::missing(what, "correct the list, or write a `*`"));
    }
    if found.is_empty() {
        return Err(DataError::new("no shard is named", FORMS));
    }
    let paths: Vec<&Path> = found.iter().map(|(path, _)| path.as_path()).collect();
    let common = common_folder(&paths);
    let named = |(path, kind): &(PathBuf, ShardKind)| {
        let name = path.strip_prefix(&common).unwrap_or(path).to_string_lossy();
        ShardFile { path: path.clone(), name: name.replace('\\', "/"), kind: *kind }
    };
    Ok(found.iter().map(named).collect())
}

/// Splits at `::`; without any, at blanks, unless it is a path that is there.
fn words(patterns: &str, root: &Path) -> Vec<String> {
    let (patterns, own) = (patterns.trim(), |words: &str| words.to_owned());
    if patterns.contains("::") {
        let parts = patterns.split("::").map(str::trim).filter(|part| !part.is_empty());
        return parts.map(own).collect();
    }
    if !patterns.is_empty() && root.join(patterns).exists() {
        return vec![own(patterns)];
    }
    patterns.split_whitespace().map(own).collect()
}

/// Adds the shards of a path or glob; `false` if it is a path and nothing is there.
fn of_name(
    path: &Path,
    form: ShardForm,
    found: &mut BTreeSet<(PathBuf, ShardKind)>,
) -> Result<bool, DataError> {
    match std::fs::metadata(path) {
        Ok(data) if data.is_dir() => {
            let below = of_folder(path, form)?;
            if below.is_empty() {
                let what = format!("no shard in {}", path.display());
                let hint = format!("name a folder of .{} files", form.ending());
                return Err(DataError::new(what, hint));
            }
            found.extend(below);
            return Ok(true);
        }
        Ok(_) => {
            found.insert((absolute(path), form.kind()));
            return Ok(true);
        }
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(DataError::Read { path: path.to_owned(), source: error });
        }
        Err(_) => {}
    }
    let pattern = path.to_string_lossy();
    if !pattern.contains(['*', '?', '[']) {
        return Ok(false);
    }
    let wrong = |error: glob::PatternError| {
        DataError::new(format!("`{pattern}` is no pattern: {error}"), FORMS)
    };
    let mut others = None;
    for entry in glob::glob(&pattern).map_err(wrong)? {
        let entry = entry.map_err(|error| DataError::Read {
            path: error.path().to_owned(),
            source: error.into(),
        })?;
        if entry.is_dir() {
            found.extend(of_folder(&entry, form)?);
        } else if let Some(kind) = form.kind_of(&entry) {
            found.insert((absolute(&entry), kind));
        } else {
            others = others.or(Some(entry));
            continue;
        }
        others = Some(PathBuf::new());
    }
    match others {
        None => Err(DataError::new(format!("nothing is called like {pattern}"), FORMS)),
        Some(other) if !other.as_os_str().is_empty() => {
            let (ending, other) = (form.ending(), other.display());
            let what = format!("no .{ending} is called like {pattern}, only such as {other}");
            let hint = format!("shards are plain .{ending} files: unpack compressed ones");
            Err(DataError::new(what, hint))
        }
        Some(_) => Ok(true),
    }
}

/// Lists the shards of a folder: its tar files and its folders of pictures; without any, the folder
/// itself if it has pictures.
fn of_folder(folder: &Path, form: ShardForm) -> Result<Vec<(PathBuf, ShardKind)>, DataError> {
    let mut found = Vec::new();
    for path in entries(folder)? {
        if path.is_dir() {
            if form == ShardForm::Tar && has_pictures(&path)? {
                found.push((absolute(&path), ShardKind::Folder));
            }
        } else if let Some(kind) = form.kind_of(&path) {
            found.push((absolute(&path), kind));
        }
    }
    if form == ShardForm::Tar && found.is_empty() && has_pictures(folder)? {
        found.push((absolute(folder), ShardKind::Folder));
    }
    Ok(found)
}

fn has_pictures(folder: &Path) -> Result<bool, DataError> {
    Ok(entries(folder)?.iter().any(|path| is_picture(path) && path.is_file()))
}

/// Lists what is in a folder, hidden things left out.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let fail = |source| DataError::Read { path: folder.to_owned(), source };
    let entries = std::fs::read_dir(folder).map_err(fail)?;
    let paths: Result<Vec<PathBuf>, _> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut paths = paths.map_err(fail)?;
    let hidden = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
    };
    paths.retain(|path| !hidden(path));
    Ok(paths)
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Returns the deepest folder that all paths are in.
fn common_folder(paths: &[&Path]) -> PathBuf {
    let mut folders = paths.iter().map(|path| path.parent().unwrap_or(path));
    let Some(mut common) = folders.next() else { return PathBuf::new() };
    for folder in folders {
        while !folder.starts_with(common) {
            common = common.parent().unwrap_or(Path::new(""));
        }
    }
    common.to_owned()
}
