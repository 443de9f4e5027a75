//! Rows of any format become items.

mod captions;
mod questions;

use super::ImageName;
use super::lacking::Lacking;
use crate::lists::at::{At, placed};
use crate::lists::fault::{Fault, FaultSink};
use crate::lists::keys;
use crate::lists::paths::{by_id, plain};
use crate::lists::row::Row;
use crate::lists::values::{Id, path};
use crate::{DataError, Item};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt::Display;
use std::path::{Path, PathBuf};
use toolkit_system::problem::Problem;

/// Items as they are put together, and the listener for faults.
pub(super) struct Builder<'a> {
    pub items: Vec<Item>,
    /// Captions read, empty ones included, as publishers count.
    pub captions: u64,
    /// Folders of pictures of the files that are read now.
    pub folders: Vec<PathBuf>,
    /// Things that are read in another way than they are written, one line each.
    pub remarks: BTreeSet<String>,
    /// Rows of the file that is read now without the text its format is for.
    pub lacking: Lacking,
    /// The number that a question without an id gets.
    next_question: u64,
    faults: &'a mut dyn FaultSink,
    /// The file that is read now.
    file: PathBuf,
    /// The extension of the last picture that was found by its id.
    extension: &'static str,
    by_id: HashMap<String, usize>,
    /// Items with a caption that is empty or cannot be read, which is a finding already.
    excused: HashSet<usize>,
    /// Item and place in it, by the question's id. Items and questions are fewer than 2^32.
    by_question: HashMap<u64, (u32, u32)>,
}

/// The end of a row before its end.
pub(super) enum Stop {
    /// The row is wrong: why.
    Row(String),
    /// A fault that ends the reading.
    Error(DataError),
}

impl From<String> for Stop {
    fn from(what: String) -> Self {
        Self::Row(what)
    }
}

impl From<DataError> for Stop {
    fn from(error: DataError) -> Self {
        Self::Error(error)
    }
}

impl<'a> Builder<'a> {
    pub fn new(faults: &'a mut dyn FaultSink) -> Self {
        Self {
            items: vec![],
            captions: 0,
            folders: vec![],
            remarks: BTreeSet::new(),
            lacking: Lacking::default(),
            next_question: 0,
            faults,
            file: PathBuf::new(),
            extension: "",
            by_id: HashMap::new(),
            excused: HashSet::new(),
            by_question: HashMap::new(),
        }
    }

    /// Reads a file with `read`; a fault of the file as a whole is counted like one of a row.
    pub fn file(
        &mut self,
        path: &Path,
        hint: &str,
        read: impl FnOnce(&mut Self, &Path) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        self.file = path.to_owned();
        if !path.exists() {
            let what = format!("there is no annotation file {}", path.display());
            return self.faults.report(Fault::MissingFile, &|| DataError::new(&what, hint));
        }
        if !path.is_file() {
            let what =
                format!("the annotation file {} is a folder, a pipe or a device", path.display());
            return self.faults.report(Fault::DamagedFile, &|| DataError::new(&what, hint));
        }
        match read(self, path) {
            // Only the walk over the file gives these; a strict fault comes out as the same error,
            // and stops here again.
            Err(error @ DataError::Malformed(_)) => {
                self.faults.report_error(Fault::DamagedFile, error)?;
            }
            other => other?,
        }
        let lacking = std::mem::take(&mut self.lacking);
        lacking.tell(&self.file, self.faults)
    }

    /// Reads a row with `read`. A row that cannot be read is a fault of its own, and the others are
    /// read.
    pub fn row(
        &mut self,
        at: At,
        bytes: &[u8],
        read: impl FnOnce(&mut Self, &Row<'_>) -> Result<(), Stop>,
    ) -> Result<(), DataError> {
        let what = match Row::parse(bytes) {
            Err(what) => what,
            Ok(row) => match read(self, &row) {
                Ok(()) => return Ok(()),
                Err(Stop::Error(error)) => return Err(error),
                Err(Stop::Row(what)) => what,
            },
        };
        self.fault(Fault::BadRow, Some(at), what, BAD_ROW)
    }

    /// Tells of a fault at a row of the file.
    pub fn fault(
        &mut self,
        fault: Fault,
        at: Option<At>,
        what: impl Display,
        hint: &str,
    ) -> Result<(), DataError> {
        let file = &self.file;
        self.faults.report(fault, &|| {
            let what = placed(at, &what.to_string());
            DataError::Malformed(Problem::new(what).at(file.display()).hint(hint))
        })
    }

    /// Tells a fault if the file lacks a list that it must have.
    pub fn need(&mut self, found: bool, section: &str) -> Result<(), DataError> {
        if found {
            return Ok(());
        }
        let hint = "is it the file that the card's `format` is about?";
        self.fault(Fault::DamagedFile, None, format_args!("there is no list \"{section}\""), hint)
    }

    /// Returns the path of the picture that a row is about, by its path or else by its id.
    pub fn picture(&mut self, row: &Row<'_>, name: Option<&ImageName>) -> Result<String, Stop> {
        if let Some((key, value)) = row.first(keys::PICTURE)? {
            return Ok(plain_path(&path(key, value)?)?);
        }
        let Some((key, value)) = row.first(keys::IMAGE_ID)? else {
            return Err(row.lacks(keys::PICTURE[0]).into());
        };
        let id = Id::read(key, value)?.to_string();
        if let Some(name) = name {
            return Ok(plain_path(&name.of(&id))?);
        }
        let named =
            plain(&id).filter(|path| self.folders.iter().any(|folder| folder.join(path).is_file()));
        named.or_else(|| by_id(&self.folders, &id, &mut self.extension)).ok_or_else(|| {
            let lacks = row.lacks(keys::PICTURE[0]);
            format!(
                "{lacks}, and no picture is called {id}: add `image_name` to the split, such \
                as `{{id:012}}.jpg`"
            )
            .into()
        })
    }

    /// Creates an item; `None` if its id is taken or its path invalid.
    pub fn image(
        &mut self,
        at: At,
        id: String,
        path: String,
        group: &str,
    ) -> Result<Option<usize>, DataError> {
        if self.by_id.contains_key(&id) {
            self.fault(
                Fault::Duplicate,
                Some(at),
                format_args!("picture {id} is there again"),
                AGAIN,
            )?;
            return Ok(None);
        }
        self.item(at, id, path, group)
    }

    /// Returns or creates the item of a picture that several rows may be about.
    pub fn item(
        &mut self,
        at: At,
        id: String,
        path: String,
        group: &str,
    ) -> Result<Option<usize>, DataError> {
        let Some(path) = plain(&path) else {
            self.fault(Fault::BadRow, Some(at), no_path(&path), PATHS)?;
            return Ok(None);
        };
        if let Some(&known) = self.by_id.get(&id) {
            if self.items[known].depicts == path {
                return Ok(Some(known));
            }
            let what =
                format!("picture {id} is {path} here and {} before", self.items[known].depicts);
            self.fault(Fault::Duplicate, Some(at), what, AGAIN)?;
            return Ok(None);
        }
        self.by_id.insert(id.clone(), self.items.len());
        self.items.push(Item {
            id,
            depicts: path,
            group: group.to_owned(),
            captions: vec![],
            questions: vec![],
        });
        Ok(Some(self.items.len() - 1))
    }

    /// Returns the item with an id, if there is one.
    pub fn has(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    /// Returns the item with an id, for annotations that follow pictures. Tells a fault if there is
    /// none.
    pub fn known(&mut self, at: At, id: &str) -> Result<Option<usize>, DataError> {
        let known = self.has(id);
        if known.is_none() {
            let hint = "the file names no such picture; get it again";
            self.fault(Fault::Orphan, Some(at), format_args!("there is no picture {id}"), hint)?;
        }
        Ok(known)
    }
}

const AGAIN: &str = "every id is there once; was a file put together from two?";
const BAD_ROW: &str = "correct or remove the row; `toolkit data check` counts all such rows";
const PATHS: &str = "paths are relative to a folder of pictures or absolute, without `..`";

fn no_path(path: &str) -> String {
    format!("'{path}' is no plain path")
}

fn plain_path(path: &str) -> Result<String, String> {
    plain(path).ok_or_else(|| format!("{}: {PATHS}", no_path(path)))
}
