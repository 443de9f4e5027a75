//! The files of a folder and its sub-folders, by what they are for.

use crate::DataError;
use crate::image::{is_picture, unread_picture};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Files with captions of many pictures, read in this order.
const LISTS: [&str; 9] = [
    "captions.jsonl",
    "captions.json",
    "captions.csv",
    "captions.tsv",
    "metadata.jsonl",
    "metadata.json",
    "metadata.csv",
    "metadata.tsv",
    "captions.txt",
];

/// Endings of files with the captions of one picture, the first that is there is read.
const BESIDE: [&str; 3] = [".txt", ".caption", ".json"];

/// The files of a folder, by their path from the folder on, with `/`.
#[derive(Default)]
pub(super) struct Files {
    /// Pictures that are read.
    pub pictures: BTreeSet<String>,
    /// Pictures in a format that is not read, and the format.
    pub unread: BTreeMap<String, String>,
    /// Files with captions of one picture each: a path without extension, and the extensions there.
    pub beside: BTreeMap<String, Vec<String>>,
    /// Lists of captions, in the order they are read.
    pub lists: Vec<String>,
    /// Files that may have captions but are not read, and why.
    pub others: BTreeMap<String, String>,
}

impl Files {
    /// Walks a folder. Hidden files and folders are passed over; links to folders are followed once.
    ///
    /// # Errors
    /// If the folder or one inside it cannot be read.
    pub fn of(dir: &Path) -> Result<Self, DataError> {
        let (mut files, mut seen) = (Self::default(), HashSet::new());
        // Folders before links to them, so that a picture has the same name whatever the system lists first.
        let mut folders = vec![String::new()];
        while !folders.is_empty() {
            let mut links = Vec::new();
            while let Some(folder) = folders.pop() {
                let path = place(dir, &folder);
                let real = path.canonicalize().map_err(|source| DataError::Read { path: path.clone(), source })?;
                if seen.insert(real) {
                    files.list(dir, &folder, &mut folders, &mut links)?;
                }
            }
            links.sort_unstable_by(|a, b| b.cmp(a));
            folders = links;
        }
        let order = |name: &String| LISTS.iter().position(|list| list.eq_ignore_ascii_case(last(name)));
        files.lists.sort_by_cached_key(|name| (folder_of(name).to_owned(), order(name)));
        files.sort_out();
        Ok(files)
    }

    fn list(
        &mut self,
        dir: &Path,
        folder: &str,
        folders: &mut Vec<String>,
        links: &mut Vec<String>,
    ) -> Result<(), DataError> {
        let path = place(dir, folder);
        let fail = |source| DataError::Read { path: path.clone(), source };
        let (mut names, mut below) = (Vec::new(), Vec::new());
        for entry in std::fs::read_dir(&path).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let kind = entry.file_type().map_err(fail)?;
            let Ok(name) = entry.file_name().into_string() else {
                let name = entry.file_name().to_string_lossy().into_owned();
                if is_picture(entry.path()) {
                    self.unread.insert(join(folder, &name), "its name is no UTF-8".to_owned());
                }
                continue;
            };
            if name.starts_with('.') || name == "__MACOSX" {
                continue;
            }
            let name = join(folder, &name);
            match (kind.is_dir(), kind.is_symlink() && entry.path().is_dir()) {
                (true, _) => below.push(name),
                (_, true) => links.push(name),
                // A device or a pipe would be waited for.
                _ if entry.path().is_file() => names.push(name),
                _ => {}
            }
        }
        below.sort_unstable_by(|a, b| b.cmp(a));
        folders.append(&mut below);
        names.into_iter().for_each(|name| self.file(dir, name));
        Ok(())
    }

    fn file(&mut self, dir: &Path, name: String) {
        let path = dir.join(&name);
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        let stem = name[..name.len() - extension.len()].strip_suffix('.').unwrap_or(&name).to_owned();
        if is_picture(&path) {
            self.pictures.insert(name);
        } else if let Some(format) = unread_picture(&path) {
            match format {
                // A document, more likely than a picture.
                "PDF" | "PostScript" => self.others.insert(name, format!("a {format} file: not read")),
                _ => self.unread.insert(name, format!("{format} is not read")),
            };
        } else if extension.is_empty() {
            if starts_as_picture(&path) {
                self.unread.insert(name, "its name has no ending such as .jpg".to_owned());
            }
        } else if LISTS.iter().any(|list| list.eq_ignore_ascii_case(last(&name))) {
            self.lists.push(name);
        } else if matches!(extension.as_str(), "txt" | "caption" | "json") {
            self.beside.entry(stem).or_default().push(name);
        } else if let Some(why) = other(&extension) {
            self.others.insert(name, why.to_owned());
        }
    }

    /// Of the files beside pictures keeps those that have one; `captions.txt` is a list only if it has none.
    fn sort_out(&mut self) {
        let stems: HashSet<&str> = (self.pictures.iter().chain(self.unread.keys()))
            .filter_map(|name| name.rsplit_once('.').map(|(stem, _)| stem))
            .collect();
        let (own, lists): (Vec<_>, Vec<_>) = std::mem::take(&mut self.lists)
            .into_iter()
            .partition(|name| ends_with(name, ".txt") && stems.contains(&name[..name.len() - 4]));
        self.lists = lists;
        for name in own {
            self.beside.entry(name[..name.len() - 4].to_owned()).or_default().push(name);
        }
        let (with, without): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut self.beside).into_iter().partition(|(stem, _)| stems.contains(stem.as_str()));
        self.beside = with;
        // The text that is read: `.txt` before `.caption` before `.json`.
        for names in self.beside.values_mut() {
            names.sort_unstable_by_key(|name| BESIDE.iter().position(|end| ends_with(name, end)));
        }
        for name in without.into_values().flatten() {
            let why = if ends_with(&name, ".json") { "no list that is read" } else { "no picture is called so" };
            self.others.insert(name, why.to_owned());
        }
    }
}

/// A folder by its path from `dir` on; `dir` itself keeps its name without a slash behind it.
fn place(dir: &Path, folder: &str) -> PathBuf {
    if folder.is_empty() { dir.to_owned() } else { dir.join(folder) }
}

/// Whether a file without ending begins as a picture does.
fn starts_as_picture(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(64).read_to_end(&mut start));
    read.is_ok() && ::image::guess_format(&start).is_ok()
}

/// Why files of a kind that may hold captions are not read.
fn other(extension: &str) -> Option<&'static str> {
    Some(match extension {
        "tar" => "a webdataset shard: not read as a folder; unpack it into the folder",
        "parquet" | "arrow" | "feather" => "a table of columns: not read; write captions.csv or captions.jsonl",
        "csv" | "tsv" => "not called captions or metadata",
        "jsonl" | "ndjson" => "not called captions or metadata",
        "xlsx" | "xls" | "ods" => "a spreadsheet: not read; save it as captions.csv",
        "zip" | "tgz" | "gz" | "zst" | "xz" | "7z" | "rar" => "an archive: not read; unpack it into the folder",
        "token" => "not read; write captions.csv or captions.jsonl",
        _ => return None,
    })
}

/// Whether a name ends with an ending in small letters or others.
pub(super) fn ends_with(name: &str, end: &str) -> bool {
    name.len() > end.len() && name.as_bytes()[name.len() - end.len()..].eq_ignore_ascii_case(end.as_bytes())
}

pub(super) fn folder_of(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

pub(super) fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

pub(super) fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}
