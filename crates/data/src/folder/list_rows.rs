//! The rows of a list of captions, and advice about its form.

use super::entry::Entry;
use crate::lists::several::Notes;
use std::collections::BTreeSet;

/// A row as it should be.
pub(super) const EXAMPLE: &str = r#"write {"image": "a.png", "captions": ["a dog"], "questions": [{"question": "what is it?", "answers": ["dog"]}]}"#;
/// The files that are read.
pub(super) const FORMS: &str = "write captions into a .txt file called as the picture, or into \
    captions.jsonl, captions.csv or metadata.jsonl";
pub(super) const CSV_EXAMPLE: &str =
    "write the heading image,caption and a row for each caption, in quotes where it has a comma";

/// The rows of a list.
#[derive(Default)]
pub(crate) struct ListRows {
    /// Lines and what they say.
    pub entries: Vec<(usize, Entry)>,
    /// Keys or columns that mean nothing here.
    pub passed: BTreeSet<String>,
    /// Texts under further keys that are not read.
    pub notes: Notes,
    /// Rows, also those that cannot be read.
    pub rows: usize,
}
