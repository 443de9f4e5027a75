//! The texts of a folder, put together from all files that have them.

mod rows;

use super::beside;
use super::entry::Asked;
use super::names::ends_with;
use super::passed::{self, by_reason};
use super::walk::Files;
use crate::lists::fault::{Fault, FaultSink};
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

/// Reads the texts of a folder. What is at fault and may be left out, as `faults` decides, is left
/// out.
pub(super) fn load(dir: &Path, faults: &mut dyn FaultSink) -> Result<Loaded, DataError> {
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
    Item { depicts: id.clone(), id, group: "all".to_owned(), captions: vec![], questions: vec![] }
}

struct Texts<'a> {
    dir: &'a Path,
    files: &'a Files,
    faults: &'a mut dyn FaultSink,
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
                    let (what, hint) =
                        ("no caption, only blanks", "write a caption a line, or remove the file");
                    (captions, Some((Fault::EmptyCaption, line_error(&path, 1, what, hint))))
                }
                Ok(captions) => (captions, None),
                Err(error) => (vec![], Some((Fault::DamagedFile, error))),
            };
            let excused = fault.is_some();
            if let Some((fault, error)) = fault {
                self.faults.report_error(fault, error)?;
            }
            let start = format!("{stem}.");
            let own = self
                .items
                .range_mut(start.clone()..)
                .take_while(|(name, _)| name.starts_with(&start));
            for (picture, (_, item)) in own.filter(|(name, _)| !name[start.len()..].contains('.')) {
                if excused {
                    self.excused.insert(picture.clone());
                }
                item.captions.extend(captions.iter().cloned());
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Loaded, DataError> {
        for (name, why) in &self.files.unread {
            let error = DataError::new(
                one_line(&format!("{} is passed over: {why}", self.dir.join(name).display())),
                "save the picture as PNG or JPEG",
            );
            self.faults.report_error(Fault::UnreadFormat, error)?;
        }
        let has_text = |item: &Item| !item.captions.is_empty() || !item.questions.is_empty();
        let some = self.items.values().any(|(_, item)| has_text(item));
        let passed = by_reason(&self.files.others);
        if some || self.files.others.is_empty() {
            self.remarks.extend(passed.iter().cloned());
        } else {
            for (name, why) in &self.files.others {
                let error = DataError::new(
                    one_line(&format!("{}: {why}", self.dir.join(name).display())),
                    super::list_rows::FORMS,
                );
                self.faults.report_error(Fault::UnreadFile, error)?;
            }
        }
        let (mut items, mut paths) = (Vec::new(), Vec::new());
        for (name, (path, item)) in self.items {
            if !has_text(&item)
                && !self.excused.contains(&name)
                && (some || self.lacking.contains_key(&name))
            {
                let plain = || {
                    DataError::new(
                        one_line(&format!("{} has no caption", path.display())),
                        super::list_rows::FORMS,
                    )
                };
                let error = self.lacking.remove(&name).unwrap_or_else(plain);
                self.faults.report_error(Fault::NoText, error)?;
            }
            items.push(item);
            paths.push(path);
        }
        for (id, question) in
            items.iter_mut().flat_map(|item: &mut Item| &mut item.questions).enumerate()
        {
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
