//! Rows of any format become items.

use super::fault::{Fault, Faults};
use super::image_name::is_plain;
use super::stream::At;
use crate::{DataError, Item, Question};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// Items as they are put together, and who is told what is wrong.
pub(super) struct Builder<'a> {
    pub items: Vec<Item>,
    /// Captions read, empty ones included, as publishers count.
    pub captions: u64,
    /// The number that a question without an id gets.
    next_question: u64,
    faults: &'a mut dyn Faults,
    /// The file that is read now.
    file: PathBuf,
    by_id: HashMap<String, usize>,
    /// Item and place in it, by the question's id. Items and questions are fewer than 2^32.
    by_question: HashMap<u64, (u32, u32)>,
}

impl<'a> Builder<'a> {
    pub fn new(faults: &'a mut dyn Faults) -> Self {
        Self {
            items: vec![],
            captions: 0,
            next_question: 0,
            faults,
            file: PathBuf::new(),
            by_id: HashMap::new(),
            by_question: HashMap::new(),
        }
    }

    /// Reads a file with `read`; a fault of the file as a whole is told like one of a row.
    pub fn file(
        &mut self,
        path: &Path,
        hint: &str,
        read: impl FnOnce(&mut Self, &Path) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        self.file = path.to_owned();
        if !path.is_file() {
            let what = format!("there is no annotation file {}", path.display());
            return self.faults.found(Fault::MissingFile, &|| DataError::published(&what, hint));
        }
        match read(self, path) {
            // Only the parser gives this; a strict fault comes out as the same error, and stops here again.
            Err(DataError::Annotation { path, what, hint }) => {
                let again = || DataError::Annotation { path: path.clone(), what: what.clone(), hint: hint.clone() };
                self.faults.found(Fault::DamagedFile, &again)
            }
            other => other,
        }
    }

    /// Tells of a fault at a row of the file.
    pub fn fault(&mut self, fault: Fault, at: Option<At>, what: impl Display, hint: &str) -> Result<(), DataError> {
        let file = &self.file;
        self.faults.found(fault, &|| DataError::Annotation {
            path: file.clone(),
            what: one_line(&at.map_or_else(|| what.to_string(), |at| format!("{at}: {what}"))),
            hint: hint.to_owned(),
        })
    }

    /// A list that the file must have.
    pub fn need(&mut self, found: bool, section: &str) -> Result<(), DataError> {
        if found {
            return Ok(());
        }
        let hint = "is it the file that the card's `format` is about?";
        self.fault(Fault::DamagedFile, None, format_args!("there is no list \"{section}\""), hint)
    }

    /// A new item; nothing if its id is taken or its path no path.
    pub fn image(&mut self, at: At, id: String, path: String, group: &str) -> Result<Option<usize>, DataError> {
        if self.by_id.contains_key(&id) {
            self.fault(Fault::Duplicate, Some(at), format_args!("picture {id} is there again"), AGAIN)?;
            return Ok(None);
        }
        self.item(at, id, path, group)
    }

    /// The item of a picture that several rows may be about.
    pub fn item(&mut self, at: At, id: String, path: String, group: &str) -> Result<Option<usize>, DataError> {
        if let Some(&known) = self.by_id.get(&id) {
            if self.items[known].shows == path {
                return Ok(Some(known));
            }
            let what = format!("picture {id} is {path} here and {} before", self.items[known].shows);
            self.fault(Fault::Duplicate, Some(at), what, AGAIN)?;
            return Ok(None);
        }
        if !is_plain(&path) {
            let hint = "paths are relative to a folder of pictures, without `.` and `..`";
            self.fault(Fault::BadRow, Some(at), format_args!("'{path}' is no plain path"), hint)?;
            return Ok(None);
        }
        self.by_id.insert(id.clone(), self.items.len());
        self.items.push(Item { id, shows: path, group: group.to_owned(), captions: vec![], questions: vec![] });
        Ok(Some(self.items.len() - 1))
    }

    /// The item with an id, for annotations that follow pictures.
    pub fn known(&mut self, at: At, id: &str) -> Result<Option<usize>, DataError> {
        let known = self.by_id.get(id).copied();
        if known.is_none() {
            let hint = "the file names no such picture; get it again";
            self.fault(Fault::Orphan, Some(at), format_args!("there is no picture {id}"), hint)?;
        }
        Ok(known)
    }

    pub fn caption(&mut self, at: At, item: usize, text: String) -> Result<(), DataError> {
        self.captions += 1;
        if text.trim().is_empty() {
            let what = format!("a caption of picture {} is empty", self.items[item].id);
            return self.fault(Fault::EmptyCaption, Some(at), what, "it is left out");
        }
        self.items[item].captions.push(text);
        Ok(())
    }

    pub fn question(&mut self, at: At, item: usize, question: Question) -> Result<(), DataError> {
        let place = (item as u32, self.items[item].questions.len() as u32);
        match self.by_question.entry(question.id) {
            Entry::Occupied(_) => {
                self.fault(Fault::Duplicate, Some(at), format_args!("question {} is there again", question.id), AGAIN)
            }
            Entry::Vacant(entry) => {
                entry.insert(place);
                self.items[item].questions.push(question);
                Ok(())
            }
        }
    }

    /// An id for a question that has none: its number.
    pub fn number(&mut self) -> u64 {
        self.next_question += 1;
        self.next_question - 1
    }

    /// The question with an id and the item it is about, for answers that follow questions.
    pub fn asked(&mut self, at: At, id: u64) -> Result<Option<(usize, usize)>, DataError> {
        let known = self.by_question.get(&id).map(|&(item, place)| (item as usize, place as usize));
        if known.is_none() {
            let hint = "do the questions and the answers belong to the same split?";
            self.fault(Fault::Orphan, Some(at), format_args!("there is no question {id}"), hint)?;
        }
        Ok(known)
    }

    /// Either every question from item `first` on has answers, or none has, as in a split whose answers are kept back.
    pub fn finish(&mut self) -> Result<(), DataError> {
        for item in &mut self.items {
            item.captions.shrink_to_fit();
            item.questions.shrink_to_fit();
        }
        let all = || self.items.iter().flat_map(|item| &item.questions);
        if all().all(|question| question.answers.is_empty()) {
            return Ok(());
        }
        let open: Vec<u64> = all().filter(|question| question.answers.is_empty()).map(|question| question.id).collect();
        for id in open {
            let hint = "other questions have answers; is the file with the answers whole?";
            self.fault(Fault::Unanswered, None, format_args!("question {id} has no answers"), hint)?;
        }
        Ok(())
    }
}

const AGAIN: &str = "every id is there once; was a file put together from two?";

/// Ids and paths come from files and may hold a line break; an error may not.
fn one_line(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_debug().collect() } else { vec![c] }).collect()
}
