//! What can be wrong with a published data set, and what becomes of it: opening stops, checking counts.

use crate::DataError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A kind of thing that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// An annotation file is not there.
    MissingFile,
    /// An annotation file has another digest than the card says.
    WrongSum,
    /// An annotation file stops being what it should; what follows in it is not read.
    DamagedFile,
    /// A row says something impossible.
    BadRow,
    /// An annotation of a picture or question that the files do not have.
    Orphan,
    /// An id, or a path under another id, is there again.
    Duplicate,
    /// A caption without a character. It is left out when the data set is opened.
    EmptyCaption,
    /// A question without answers, in a split that has answers.
    Unanswered,
    /// There is no picture file.
    MissingImage,
    /// A picture file cannot be decoded (or, if not asked to decode, has no readable header).
    UnreadableImage,
    /// Another number of pictures, captions or questions than published.
    WrongSize,
}

/// How often a fault was found, and the first of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How often.
    pub count: u64,
    /// The first ones, as the error that opening would give.
    pub examples: Vec<String>,
}

/// Who is told of faults.
pub(super) trait Faults {
    /// Goes on if the answer is `Ok`: what is at fault is left out.
    fn found(&mut self, fault: Fault, error: &dyn Fn() -> DataError) -> Result<(), DataError>;
}

/// The first fault is an error; only an empty caption is none.
pub(super) struct Strict;

impl Faults for Strict {
    fn found(&mut self, fault: Fault, error: &dyn Fn() -> DataError) -> Result<(), DataError> {
        if fault == Fault::EmptyCaption { Ok(()) } else { Err(error()) }
    }
}

/// Counts faults and keeps the first of each kind.
pub(super) struct Counted {
    pub most: usize,
    pub findings: BTreeMap<Fault, Finding>,
}

impl Faults for Counted {
    fn found(&mut self, fault: Fault, error: &dyn Fn() -> DataError) -> Result<(), DataError> {
        let finding = self.findings.entry(fault).or_default();
        finding.count += 1;
        if finding.examples.len() < self.most {
            finding.examples.push(error().to_string());
        }
        Ok(())
    }
}
