//! Rows without the text that their format is for: a finding each where others have it, an error
//! where none has.

use crate::DataError;
use crate::lists::at::{At, placed};
use crate::lists::fault::{Fault, FaultSink};
use crate::lists::keys;
use crate::lists::row::Row;
use std::path::Path;
use toolkit_system::problem::Problem;

/// Most messages that are stored. Further rows are named by their place.
const KEPT: usize = 64;

/// The rows of one file, by whether they have a text.
#[derive(Default)]
pub(super) struct Lacking {
    /// Rows with a text.
    with: u64,
    without: Vec<At>,
    /// Messages that say what the first of them have instead.
    messages: Vec<String>,
    /// The first row with keys that may hold the text under another name.
    odd: Option<String>,
    /// The rows are questions: those without answers are found at the end of the split.
    questions: bool,
}

impl Lacking {
    /// Notes a row that should have a text under one of `keys`.
    pub fn row(&mut self, at: At, row: &Row<'_>, keys: &[&'static str], has: bool) {
        if has {
            self.with += 1;
            return;
        }
        let message = || placed(Some(at), &row.lacks(keys[0]));
        if self.messages.len() < KEPT {
            self.messages.push(message());
        }
        if self.odd.is_none() && !row.has_only(&[keys::PICTURE, keys::SILENT]) {
            self.odd = Some(message());
        }
        self.without.push(at);
    }

    /// Notes a row that should have an answer.
    pub fn answer(&mut self, at: At, row: &Row<'_>, has: bool) {
        self.questions = true;
        self.row(at, row, keys::ANSWER, has);
    }

    /// Tells what was noted. Rows that all have no text and no other keys keep it back, as lists of
    /// test splits do.
    pub fn tell(self, file: &Path, faults: &mut dyn FaultSink) -> Result<(), DataError> {
        let error = |what: &str, hint: &str| {
            DataError::Malformed(Problem::new(what).at(file.display()).hint(hint))
        };
        if self.with == 0 {
            let Some(odd) = self.odd else { return Ok(()) };
            let what = format!("no row has the text that the format is for: {odd}");
            let hint = "rename the key, or choose the `format` of the split that has it";
            return faults.report(Fault::DamagedFile, &|| error(&what, hint));
        }
        if self.questions {
            return Ok(());
        }
        for (number, at) in self.without.iter().enumerate() {
            let what = || {
                self.messages
                    .get(number)
                    .cloned()
                    .unwrap_or_else(|| placed(Some(*at), "has no `text`"))
            };
            faults.report(Fault::NoText, &|| {
                error(&what(), "other rows have it; correct or remove the row")
            })?;
        }
        Ok(())
    }
}
