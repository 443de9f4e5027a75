//! The texts of a folder, put together from all files that have them.

use super::beside;
use super::entry::{Asked, Entry};
use super::lists::{Read, read};
use super::passed::{self, NAMED, by_reason};
use super::walk::{Files, ends_with, folder_of, last};
use crate::lists::fault::{Fault, Faults};
use crate::lists::paths::{find, is_absolute, moved, plain};
use crate::lists::text::{line_error, one_line};
use crate::{DataError, Item, Question, answer_type};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

/// Items of a folder.
#[derive(Default)]
pub(super) struct Loaded {
    pub items: Vec<Item>,
    pub paths: Vec<PathBuf>,
    /// Files that are not read, as an error about an empty folder names them.
    pub passed: String,
    pub remarks: Vec<String>,
}

/// Reads the texts of a folder. What is at fault and may be left out, as `faults` decides, is left out.
pub(super) fn load(dir: &Path, faults: &mut dyn Faults) -> Result<Loaded, DataError> {
    let files = Files::of(dir)?;
    let mut texts = Texts {
        dir,
        files: &files,
        faults,
        items: BTreeMap::new(),
        lacking: HashMap::new(),
        excused: HashSet::new(),
        by_name: HashMap::new(),
        remarks: vec![],
    };
    for name in &files.pictures {
        texts.items.insert(name.clone(), (dir.join(name), blank(name)));
    }
    texts.beside()?;
    for list in &files.lists {
        texts.list(list)?;
    }
    texts.finish()
}

fn blank(id: &str) -> Item {
    let id = id.to_owned();
    Item { shows: id.clone(), id, group: "all".to_owned(), captions: vec![], questions: vec![] }
}

struct Texts<'a> {
    dir: &'a Path,
    files: &'a Files,
    faults: &'a mut dyn Faults,
    items: BTreeMap<String, (PathBuf, Item)>,
    /// Why a row gave a picture no text.
    lacking: HashMap<String, DataError>,
    /// Pictures whose lack of a caption is a finding of another kind.
    excused: HashSet<String>,
    /// Pictures by the last part of their path, once they are looked for.
    by_name: HashMap<&'a str, Vec<&'a str>>,
    remarks: Vec<String>,
}

impl Texts<'_> {
    /// Captions in files that are called as one picture.
    fn beside(&mut self) -> Result<(), DataError> {
        for (stem, names) in &self.files.beside {
            let Some(name) = names.first() else { continue };
            let path = self.dir.join(name);
            let (captions, fault) = match beside::captions(&path) {
                Ok(captions) if captions.is_empty() && !ends_with(name, ".json") => {
                    let (what, hint) = ("no caption, only blanks", "write a caption a line, or remove the file");
                    (captions, Some((Fault::EmptyCaption, line_error(&path, 1, what, hint))))
                }
                Ok(captions) => (captions, None),
                Err(error) => (vec![], Some((Fault::DamagedFile, error))),
            };
            let excused = fault.is_some();
            if let Some((fault, error)) = fault {
                self.faults.told(fault, error)?;
            }
            let start = format!("{stem}.");
            let own = self.items.range_mut(start.clone()..).take_while(|(name, _)| name.starts_with(&start));
            for (picture, (_, item)) in own.filter(|(name, _)| !name[start.len()..].contains('.')) {
                if excused {
                    self.excused.insert(picture.clone());
                }
                item.captions.extend(captions.iter().cloned());
            }
        }
        Ok(())
    }

    /// The rows of a list.
    fn list(&mut self, name: &str) -> Result<(), DataError> {
        let path = self.dir.join(name);
        let place = self.dir.join(folder_of(name));
        let folders = [place, self.dir.to_owned()];
        let Read { mut entries, passed, notes, rows } = match read(&path, &folders, self.faults) {
            Ok(read) => read,
            Err(error @ DataError::Read { .. }) => return self.faults.told(Fault::DamagedFile, error),
            Err(error @ (DataError::Line { .. } | DataError::Annotation { .. })) => {
                return self.faults.told(self.weight(name), error);
            }
            Err(error) => return Err(error),
        };
        if rows == 0 {
            let error = line_error(&path, 1, "the list has no row", super::lists::FORMS);
            self.faults.told(Fault::UnreadFile, error)?;
        }
        if !passed.is_empty() {
            let keys: Vec<String> = passed.iter().take(2 * NAMED).map(|key| format!("`{}`", one_line(key))).collect();
            let more = if passed.len() > keys.len() { ", .." } else { "" };
            self.remarks.push(format!("{name}: passed over {}{more}", keys.join(", ")));
        }
        self.remarks.extend(notes.iter().map(|note| format!("{name}: {note}")));
        if !entries.is_empty()
            && entries.iter().all(|(_, entry)| entry.captions.is_empty() && entry.questions.is_empty())
        {
            let (line, first) = &entries[0];
            let lacks = first.lacks.as_deref().unwrap_or("has no text");
            let error = line_error(
                &path,
                *line,
                format!("no row has a caption or a question: the first {lacks}"),
                super::lists::EXAMPLE,
            );
            return self.faults.told(self.weight(name), error);
        }
        for (_, entry) in &mut entries {
            entry.picture = plain(&entry.picture).unwrap_or_else(|| std::mem::take(&mut entry.picture));
        }
        let cut = moved(entries.iter().map(|(_, entry)| entry.picture.as_str()), &folders);
        if let Some(cut) = &cut {
            self.remarks
                .push(format!("{name}: paths begin with {cut}, which is not here: they are read in the folder"));
        }
        let mut before = HashMap::new();
        for (line, mut entry) in entries {
            if let Some(rest) = cut.as_deref().and_then(|cut| entry.picture.strip_prefix(cut)) {
                entry.picture = rest.to_owned();
            }
            match self.picture(&entry.picture, &folders) {
                Ok(Some(picture)) => self.add(&path, line, &picture, entry, &mut before)?,
                // Counted as a picture of a format that is not read.
                Ok(None) => {}
                Err((what, hint)) => {
                    self.faults.told(Fault::MissingImage, line_error(&path, line, what, hint))?;
                }
            }
        }
        Ok(())
    }

    /// A list of captions without captions is an error. Metadata may be about other things.
    fn weight(&self, name: &str) -> Fault {
        if last(name).starts_with("captions") && last(name) != "captions.txt" {
            Fault::DamagedFile
        } else {
            Fault::UnreadFile
        }
    }

    /// The name of the item that a path of a list means; an item that is not there yet is made.
    fn picture(&mut self, path: &str, folders: &[PathBuf]) -> Result<Option<String>, (String, &'static str)> {
        let Some(path) = plain(path) else {
            return Err((format!("'{path}' is no plain path"), "write it from the folder on, without `..`"));
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

    /// The picture in a sub-folder that is called so: lists may lie above the folder of the pictures.
    fn elsewhere(&mut self, path: &str, place: &Path) -> Result<String, (String, &'static str)> {
        if self.by_name.is_empty() {
            for name in &self.files.pictures {
                self.by_name.entry(last(name)).or_default().push(name);
            }
        }
        match self.by_name.get(path).map_or(&[][..], Vec::as_slice) {
            [only] => Ok((*only).to_owned()),
            [] => {
                let path = if is_absolute(path) { path.to_owned() } else { place.join(path).display().to_string() };
                Err((format!("there is no picture {path}"), "\"image\" is a path relative to the folder"))
            }
            all => {
                let shown: Vec<&str> = all.iter().copied().take(NAMED).collect();
                let what = format!("there are {} pictures called {path}: {}", all.len(), shown.join(", "));
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
        let old = before.entry(picture.to_owned()).or_insert_with(|| item.captions.iter().cloned().collect());
        if let Some(lacks) = entry.lacks {
            let what = format!("the row of {picture} {lacks}");
            self.lacking.insert(picture.to_owned(), line_error(path, line, one_line(&what), super::lists::EXAMPLE));
        }
        for caption in entry.captions {
            if caption.trim().is_empty() {
                self.excused.insert(picture.to_owned());
                let what = format!("a caption of {picture} is empty");
                self.faults.told(Fault::EmptyCaption, line_error(path, line, one_line(&what), "it is left out"))?;
            } else if !old.contains(&caption) {
                // Tools write the same caption beside the picture and into a list.
                item.captions.push(caption);
            }
        }
        item.questions.extend(entry.questions.into_iter().map(question));
        Ok(())
    }

    fn finish(mut self) -> Result<Loaded, DataError> {
        for (name, why) in &self.files.unread {
            let error = DataError::published(
                one_line(&format!("{} is passed over: {why}", self.dir.join(name).display())),
                "save the picture as PNG or JPEG",
            );
            self.faults.told(Fault::UnreadFormat, error)?;
        }
        let has_text = |item: &Item| !item.captions.is_empty() || !item.questions.is_empty();
        let some = self.items.values().any(|(_, item)| has_text(item));
        let passed = by_reason(&self.files.others);
        if some || self.files.others.is_empty() {
            self.remarks.extend(passed.iter().cloned());
        } else {
            for (name, why) in &self.files.others {
                let error = DataError::published(
                    one_line(&format!("{}: {why}", self.dir.join(name).display())),
                    super::lists::FORMS,
                );
                self.faults.told(Fault::UnreadFile, error)?;
            }
        }
        let (mut items, mut paths) = (Vec::new(), Vec::new());
        for (name, (path, item)) in self.items {
            if !has_text(&item) && !self.excused.contains(&name) && (some || self.lacking.contains_key(&name)) {
                let plain = || {
                    DataError::published(one_line(&format!("{} has no caption", path.display())), super::lists::FORMS)
                };
                let error = self.lacking.remove(&name).unwrap_or_else(plain);
                self.faults.told(Fault::NoText, error)?;
            }
            items.push(item);
            paths.push(path);
        }
        for (id, question) in items.iter_mut().flat_map(|item: &mut Item| &mut item.questions).enumerate() {
            question.id = id as u64;
        }
        let mut all = passed;
        all.extend(passed::pictures(&self.files.unread));
        let passed = all.iter().map(|line| format!("; {line}")).collect();
        Ok(Loaded { items, paths, passed, remarks: self.remarks })
    }
}

fn question(asked: Asked) -> Question {
    Question {
        id: 0,
        answer_type: answer_type(&asked.answers[0]).to_owned(),
        text: asked.question,
        answers: asked.answers,
        kind: asked.kind.unwrap_or_else(|| "other".to_owned()),
    }
}
