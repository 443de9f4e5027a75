//! Captions of pictures, and pictures without.

use super::{Builder, Stop};
use crate::DataError;
use crate::lists::at::At;
use crate::lists::fault::Fault;
use crate::lists::row::Row;
use crate::lists::several;

impl Builder<'_> {
    /// Adds a caption to a picture. An empty one is counted and left out.
    pub fn caption(&mut self, at: At, item: usize, text: String) -> Result<(), DataError> {
        self.captions += 1;
        if text.trim().is_empty() {
            self.excuse(item);
            let what = format!("a caption of picture {} is empty", self.items[item].id);
            return self.fault(Fault::EmptyCaption, Some(at), what, "it is left out");
        }
        self.items[item].captions.push(text);
        Ok(())
    }

    /// Remembers that the lack of a caption is a finding of another kind.
    pub fn excuse(&mut self, item: usize) {
        self.excused.insert(item);
    }

    /// Returns the captions that a row has under keys of the first of `meanings` with a text. A row
    /// without is remembered until the end of the file.
    pub fn captions_in(
        &mut self,
        at: At,
        row: &Row<'_>,
        meanings: &[&[&'static str]],
    ) -> Result<Vec<String>, Stop> {
        let found = several::captions(row, meanings, &mut self.remarks)?.unwrap_or_default();
        self.lacking.row(at, row, meanings[0], !found.is_empty());
        Ok(found)
    }

    /// Checks that every picture from item `first` on has a caption, for formats that list pictures
    /// and captions apart.
    pub fn need_captions(&mut self, first: usize) -> Result<(), DataError> {
        let bare: Vec<usize> =
            (first..self.items.len()).filter(|&at| self.items[at].captions.is_empty()).collect();
        if !bare.is_empty() && bare.len() == self.items.len() - first {
            let what = format!("no picture has a caption, of {}", bare.len());
            return self.fault(
                Fault::DamagedFile,
                None,
                what,
                "is it the file that the card's `format` is about?",
            );
        }
        for at in bare.into_iter().filter(|at| !self.excused.contains(at)).collect::<Vec<_>>() {
            let (id, hint) =
                (self.items[at].id.clone(), "it is of no use where captions are needed");
            self.fault(Fault::NoText, None, format_args!("picture {id} has no caption"), hint)?;
        }
        Ok(())
    }
}
