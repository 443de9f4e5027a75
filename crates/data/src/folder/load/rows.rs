//! The rows of a list, given to the pictures that they mean.

use super::{Texts, blank, question};
use crate::DataError;
use crate::folder::entry::Entry;
use crate::folder::list_rows::{EXAMPLE, FORMS, ListRows};
use crate::folder::lists::read;
use crate::folder::names::{folder_of, last};
use crate::folder::passed::NAMED;
use crate::lists::fault::Fault;
use crate::lists::keys::JUST_CAPTION;
use crate::lists::paths::{find, is_absolute, moved, plain};
use crate::lists::text::{line_error, one_line};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

impl Texts<'_> {
    /// Reads the rows of a list and gives their texts to the pictures.
    pub fn list(&mut self, name: &str) -> Result<(), DataError> {
        let path = self.dir.join(name);
        let place = self.dir.join(folder_of(name));
        let folders = [place, self.dir.to_owned()];
        let found = match read(&path, &folders, self.faults) {
            Ok(read) => read,
            Err(error @ DataError::Read { .. }) => {
                return self.faults.report_error(Fault::DamagedFile, error);
            }
            Err(error @ DataError::Malformed(_)) => {
                return self.faults.report_error(self.weight(name, &path), error);
            }
            Err(error) => return Err(error),
        };
        self.remark(name, &found);
        if found.rows == 0 {
            let error = line_error(&path, 1, "the list has no row", FORMS);
            self.faults.report_error(Fault::UnreadFile, error)?;
        }
        let mut entries = found.entries;
        let is_bare =
            |(_, entry): &(usize, Entry)| entry.captions.is_empty() && entry.questions.is_empty();
        if let Some((line, first)) = entries.first().filter(|_| entries.iter().all(is_bare)) {
            let lacks = first.lacks.as_deref().unwrap_or("has no text");
            let what = format!("no row has a caption or a question: the first {lacks}");
            return self
                .faults
                .report_error(self.weight(name, &path), line_error(&path, *line, what, EXAMPLE));
        }
        for (_, entry) in &mut entries {
            entry.picture =
                plain(&entry.picture).unwrap_or_else(|| std::mem::take(&mut entry.picture));
        }
        let cut = moved(entries.iter().map(|(_, entry)| entry.picture.as_str()), &folders);
        if let Some(cut) = &cut {
            self.remarks.push(format!(
                "{name}: paths begin with {cut}, which is not here: they are read in the folder"
            ));
        }
        self.give(&path, entries, cut.as_deref(), &folders)
    }

    /// Remarks what a list has that is not read.
    fn remark(&mut self, name: &str, ListRows { passed, notes, .. }: &ListRows) {
        if !passed.is_empty() {
            let keys: Vec<String> =
                passed.iter().take(2 * NAMED).map(|key| format!("`{}`", one_line(key))).collect();
            let more = if passed.len() > keys.len() { ", .." } else { "" };
            self.remarks.push(format!("{name}: passed over {}{more}", keys.join(", ")));
        }
        self.remarks.extend(notes.iter().map(|note| format!("{name}: {note}")));
    }

    /// Gives the texts of rows to the pictures that they name, without the folder `cut`.
    fn give(
        &mut self,
        path: &Path,
        entries: Vec<(usize, Entry)>,
        cut: Option<&str>,
        folders: &[PathBuf],
    ) -> Result<(), DataError> {
        let mut before = HashMap::new();
        for (line, mut entry) in entries {
            if let Some(rest) = cut.and_then(|cut| entry.picture.strip_prefix(cut)) {
                entry.picture = rest.to_owned();
            }
            match self.picture(&entry.picture, folders) {
                Ok(Some(picture)) => self.add(path, line, &picture, entry, &mut before)?,
                // Counted as a picture of a format that is not read.
                Ok(None) => {}
                Err((what, hint)) => {
                    self.faults
                        .report_error(Fault::MissingImage, line_error(path, line, what, hint))?;
                }
            }
        }
        Ok(())
    }

    /// Weighs a list that cannot be read. One of captions is an error, and so are metadata that
    /// name texts; other metadata may be about other things.
    fn weight(&self, name: &str, path: &Path) -> Fault {
        if (last(name).starts_with("captions") && last(name) != "captions.txt")
            || names_texts(name, path)
        {
            Fault::DamagedFile
        } else {
            Fault::UnreadFile
        }
    }

    /// Returns the name of the item that a path of a list means, and creates the item if needed.
    fn picture(
        &mut self,
        path: &str,
        folders: &[PathBuf],
    ) -> Result<Option<String>, (String, &'static str)> {
        let Some(path) = plain(path) else {
            return Err((
                format!("'{path}' is no plain path"),
                "write it from the folder on, without `..`",
            ));
        };
        let Some(found) = folders.iter().find_map(|folder| find(folder, &path)) else {
            return self.elsewhere(&path, &folders[0]).map(Some);
        };
        let name = match found.strip_prefix(self.dir) {
            Ok(inside) => inside.to_string_lossy().replace('\\', "/"),
            Err(_) => found.to_string_lossy().into_owned(),
        };
        if self.files.unread.contains_key(&name) {
            return Ok(None);
        }
        self.items.entry(name.clone()).or_insert_with(|| (found, blank(&name)));
        Ok(Some(name))
    }

    /// Finds the one picture of that name in a sub-folder: lists may lie above the folder of the
    /// pictures.
    fn elsewhere(&mut self, path: &str, place: &Path) -> Result<String, (String, &'static str)> {
        if self.by_name.is_empty() {
            for name in &self.files.pictures {
                self.by_name.entry(last(name)).or_default().push(name);
            }
        }
        match self.by_name.get(path).map_or(&[][..], Vec::as_slice) {
            [only] => Ok((*only).to_owned()),
            [] => {
                let path = if is_absolute(path) {
                    path.to_owned()
                } else {
                    place.join(path).display().to_string()
                };
                Err((
                    format!("there is no picture {path}"),
                    "\"image\" is a path relative to the folder",
                ))
            }
            all => {
                let shown: Vec<&str> = all.iter().copied().take(NAMED).collect();
                let what =
                    format!("there are {} pictures called {path}: {}", all.len(), shown.join(", "));
                Err((what, "write their paths from the folder on"))
            }
        }
    }

    /// Adds the texts of a row. `before` is the captions that pictures had before this list.
    fn add(
        &mut self,
        path: &Path,
        line: usize,
        picture: &str,
        entry: Entry,
        before: &mut HashMap<String, HashSet<String>>,
    ) -> Result<(), DataError> {
        let Some((_, item)) = self.items.get_mut(picture) else { return Ok(()) };
        let old = before
            .entry(picture.to_owned())
            .or_insert_with(|| item.captions.iter().cloned().collect());
        if let Some(lacks) = entry.lacks {
            let what = format!("the row of {picture} {lacks}");
            self.lacking
                .insert(picture.to_owned(), line_error(path, line, one_line(&what), EXAMPLE));
        }
        for caption in entry.captions {
            if caption.trim().is_empty() {
                self.excused.insert(picture.to_owned());
                let what = format!("a caption of {picture} is empty");
                self.faults.report_error(
                    Fault::EmptyCaption,
                    line_error(path, line, one_line(&what), "it is left out"),
                )?;
            } else if !old.contains(&caption) {
                // Tools write the same caption into a file next to the picture and into a list.
                item.captions.push(caption);
            }
        }
        item.questions.extend(entry.questions.into_iter().map(question));
        Ok(())
    }
}

/// Returns `true` if metadata have a key or a column of captions, however damaged the rest is.
fn names_texts(name: &str, path: &Path) -> bool {
    let Ok(bytes) = toolkit_system::input::read(path) else { return false };
    if !last(name).starts_with("metadata") {
        return false;
    }
    let text = String::from_utf8_lossy(&bytes);
    let heading = text.lines().next().unwrap_or_default().to_ascii_lowercase();
    let columns: Vec<&str> =
        heading.split([',', '\t']).map(|column| column.trim().trim_matches('"')).collect();
    let keys = || JUST_CAPTION.iter().chain(["text", "texts"].iter());
    keys().any(|key| columns.contains(key) || text.contains(&format!("\"{key}\"")))
}
