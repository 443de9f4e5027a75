//! Faults of a data set, and what becomes of them: opening stops, checking counts.

use crate::DataError;
use serde::{Deserialize, Serialize, Serializer};
use std::cell::Cell;
use std::collections::BTreeMap;
use toolkit_system::problem::Problem;

/// A kind of thing that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Fault {
    /// An annotation file is not there.
    MissingFile,
    /// An annotation file has another digest than the card says.
    WrongSum,
    /// An annotation file stops being what it should; what follows in it is not read.
    DamagedFile,
    /// A file that may hold texts but is of a kind that is not read.
    UnreadFile,
    /// A row says something impossible.
    BadRow,
    /// A row or a picture without the text that the format is for, where others have it.
    NoText,
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
    /// A picture file in a format that is not read. A folder passes it over.
    UnreadFormat,
    /// Another number of pictures, captions or questions than published.
    WrongSize,
    /// No picture at all.
    Empty,
}

impl Fault {
    /// Returns the name in reports, such as `bad-row`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MissingFile => "missing-file",
            Self::WrongSum => "wrong-sum",
            Self::DamagedFile => "damaged-file",
            Self::UnreadFile => "unread-file",
            Self::BadRow => "bad-row",
            Self::NoText => "no-text",
            Self::Orphan => "orphan",
            Self::Duplicate => "duplicate",
            Self::EmptyCaption => "empty-caption",
            Self::Unanswered => "unanswered",
            Self::MissingImage => "missing-image",
            Self::UnreadableImage => "unreadable-image",
            Self::UnreadFormat => "unread-format",
            Self::WrongSize => "wrong-size",
            Self::Empty => "empty",
        }
    }

    /// Returns `true` if a data set with this fault is opened without the rows and files at fault.
    fn is_left_out(self) -> bool {
        matches!(self, Self::EmptyCaption | Self::NoText | Self::UnreadFormat | Self::UnreadFile)
    }
}

/// Number of times that a fault was found, and the first of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Number of times.
    pub count: u64,
    /// The first ones, as the error that opening would give.
    #[serde(serialize_with = "as_lines")]
    pub examples: Vec<Problem>,
}

fn as_lines<S: Serializer>(examples: &[Problem], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(examples.iter().map(Problem::to_string))
}

/// Faults that were found; a fault that is not here was not.
pub type Findings = BTreeMap<Fault, Finding>;

/// A listener for faults.
pub(crate) trait FaultSink {
    /// Takes a fault. Reading goes on if the answer is `Ok`, without the row or file at fault.
    fn report(&mut self, fault: Fault, error: &dyn Fn() -> DataError) -> Result<(), DataError>;

    /// Tells of a fault like [`FaultSink::report`], of an error that exists already.
    fn report_error(&mut self, fault: Fault, error: DataError) -> Result<(), DataError> {
        let problem = error.problem();
        let error = Cell::new(Some(error));
        self.report(fault, &|| error.take().unwrap_or_else(|| problem.clone().into()))
    }
}

/// The first fault is an error, but for those that only leave something out: they are counted.
#[derive(Default)]
pub(crate) struct Strict {
    pub left_out: Counted,
}

impl FaultSink for Strict {
    fn report(&mut self, fault: Fault, error: &dyn Fn() -> DataError) -> Result<(), DataError> {
        if fault.is_left_out() { self.left_out.report(fault, error) } else { Err(error()) }
    }
}

/// Examples kept of each fault, by default.
pub(crate) const EXAMPLES: usize = 5;

/// Counts faults and keeps the first of each kind.
pub(crate) struct Counted {
    pub most: usize,
    pub findings: Findings,
}

impl Default for Counted {
    fn default() -> Self {
        Self { most: EXAMPLES, findings: Findings::new() }
    }
}

impl Counted {
    /// Counts a fault that is an error already.
    pub fn add(&mut self, fault: Fault, error: &DataError) {
        let finding = self.findings.entry(fault).or_default();
        finding.count += 1;
        if finding.examples.len() < self.most {
            finding.examples.push(error.problem());
        }
    }
}

impl Counted {
    /// Counts faults of one kind, of which the first are given.
    pub fn add_many(&mut self, fault: Fault, count: u64, examples: impl Iterator<Item = Problem>) {
        if count > 0 {
            let finding = self.findings.entry(fault).or_default();
            finding.count += count;
            let free = self.most.saturating_sub(finding.examples.len());
            finding.examples.extend(examples.take(free));
        }
    }
}

impl FaultSink for Counted {
    fn report(&mut self, fault: Fault, error: &dyn Fn() -> DataError) -> Result<(), DataError> {
        let finding = self.findings.entry(fault).or_default();
        finding.count += 1;
        if finding.examples.len() < self.most {
            finding.examples.push(error().problem());
        }
        Ok(())
    }
}
