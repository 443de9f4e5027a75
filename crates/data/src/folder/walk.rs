//! The files of a folder and its sub-folders, by what they are for.

use super::names::{
    BESIDE, bare, ending, ends_with, escaped, folder_of, is_beside, join, last, may_have_captions,
    other, place, starts_as_picture,
};
use crate::DataError;
use crate::image::{is_picture, unread_picture};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::OsStr;
use std::fs::{DirEntry, FileType};
use std::io::ErrorKind;
use std::path::Path;

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
    /// Walks a folder. Hidden files and folders are passed over; links to folders are followed
    /// once.
    ///
    /// # Errors
    /// If the folder or one inside it cannot be read.
    pub fn of(dir: &Path) -> Result<Self, DataError> {
        if dir.as_os_str().is_empty() {
            return Err(DataError::new(
                "no folder is named",
                "write its path, as in `folder:my-photos`",
            ));
        }
        let (mut files, mut seen, mut named) = (Self::default(), HashSet::new(), Vec::new());
        // Folders before links to them, so that a picture has the same name whatever the system
        // lists first.
        let mut folders = vec![String::new()];
        while !folders.is_empty() {
            let mut links = Vec::new();
            while let Some(folder) = folders.pop() {
                let path = place(dir, &folder);
                let real = path
                    .canonicalize()
                    .map_err(|source| DataError::Read { path: path.clone(), source })?;
                if seen.insert(real) {
                    files.list(dir, &folder, &mut folders, &mut links)?;
                    named.push(folder);
                }
            }
            links.sort_unstable_by(|a, b| b.cmp(a));
            folders = links;
        }
        let order =
            |name: &String| LISTS.iter().position(|list| list.eq_ignore_ascii_case(last(name)));
        files.lists.sort_by_cached_key(|name| (folder_of(name).to_owned(), order(name)));
        files.folders_called_as_pictures(&named);
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
            let name = entry.file_name();
            if name.as_encoded_bytes().starts_with(b".") || name == "__MACOSX" {
                continue;
            }
            let Some(name) = name.to_str() else {
                self.unnamed(folder, &name, &entry);
                continue;
            };
            let name = join(folder, name);
            let (own, linked) = (kind.is_dir(), kind.is_symlink() && entry.path().is_dir());
            if (own || linked) && (is_list(&name) || is_beside(&ending(&entry.path()))) {
                // Captions that should be there, as in `odd`; what lies in the folder is read all
                // the same.
                names.push(name.clone());
            }
            match (own, linked) {
                (true, _) => below.push(name),
                (_, true) => links.push(name),
                // A device or a pipe would be waited for.
                _ if entry.path().is_file() => names.push(name),
                _ => self.odd(dir, name, kind),
            }
        }
        below.sort_unstable_by(|a, b| b.cmp(a));
        folders.append(&mut below);
        names.into_iter().for_each(|name| self.file(dir, name));
        Ok(())
    }

    /// Takes an entry whose name is no UTF-8: no list can name it, so it is passed over.
    fn unnamed(&mut self, folder: &str, name: &OsStr, entry: &DirEntry) {
        let why = "its name is no UTF-8".to_owned();
        let (shown, path) = (join(folder, &escaped(name)), entry.path());
        if path.is_dir() {
            self.unread.insert(shown + "/", "the folder's name is no UTF-8".to_owned());
        } else if is_picture(&path)
            || unread_picture(&path).is_some()
            || bare(&path) && starts_as_picture(&path)
        {
            self.unread.insert(shown, why);
        } else if may_have_captions(&ending(&path)) {
            self.others.insert(shown, format!("passed over: {why}"));
        }
    }

    /// Takes what is neither file nor folder: a link to nothing, a pipe, a device. It is never
    /// opened.
    fn odd(&mut self, dir: &Path, name: String, kind: FileType) {
        let path = dir.join(&name);
        let why = match std::fs::metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound && kind.is_symlink() => {
                "a link to nothing".to_owned()
            }
            Err(error) => error.to_string(),
            Ok(_) => "no ordinary file but a pipe or a device".to_owned(),
        };
        if bare(&path) {
            return;
        }
        if is_picture(&path) || unread_picture(&path).is_some() {
            self.unread.insert(name, why);
        } else {
            // Captions that should be there: that they cannot be read is found when they are.
            self.file(dir, name);
        }
    }

    fn file(&mut self, dir: &Path, name: String) {
        let path = dir.join(&name);
        let extension = ending(&path);
        let stem =
            name[..name.len() - extension.len()].strip_suffix('.').unwrap_or(&name).to_owned();
        if is_picture(&path) {
            self.pictures.insert(name);
        } else if let Some(format) = unread_picture(&path) {
            match format {
                // A document, more likely than a picture.
                "PDF" | "PostScript" => {
                    self.others.insert(name, format!("a {format} file: not read"))
                }
                _ => self.unread.insert(name, format!("{format} is not read")),
            };
        } else if extension.is_empty() {
            if starts_as_picture(&path) {
                self.unread.insert(name, "its name has no ending such as .jpg".to_owned());
            }
        } else if is_list(&name) {
            self.lists.push(name);
        } else if is_beside(&extension) {
            self.beside.entry(stem).or_default().push(name);
        } else if let Some(why) = other(&extension) {
            self.others.insert(name, why.to_owned());
        }
    }

    /// Counts folders that are called as a picture and hold none.
    fn folders_called_as_pictures(&mut self, seen: &[String]) {
        for folder in seen.iter().filter(|folder| is_picture(folder)) {
            let below = format!("{folder}/");
            let holds = |name: &String| name.starts_with(&below);
            let pictures = self.pictures.range(below.clone()..).next().is_some_and(holds);
            if !pictures
                && !self.unread.range(below.clone()..).next().is_some_and(|(name, _)| holds(name))
            {
                self.unread.insert(folder.clone(), "a folder, not a picture".to_owned());
            }
        }
    }

    /// Keeps the caption files whose picture is there; `captions.txt` is a list only if it
    /// has none.
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
        let (with, without): (BTreeMap<_, _>, BTreeMap<_, _>) = std::mem::take(&mut self.beside)
            .into_iter()
            .partition(|(stem, _)| stems.contains(stem.as_str()));
        self.beside = with;
        // The text that is read: `.txt` before `.caption` before `.json`.
        for names in self.beside.values_mut() {
            names.sort_unstable_by_key(|name| BESIDE.iter().position(|end| ends_with(name, end)));
        }
        for name in without.into_values().flatten() {
            let why = if ends_with(&name, ".json") {
                "no list that is read"
            } else {
                "no picture is called so"
            };
            self.others.insert(name, why.to_owned());
        }
    }
}

fn is_list(name: &str) -> bool {
    LISTS.iter().any(|list| list.eq_ignore_ascii_case(last(name)))
}
