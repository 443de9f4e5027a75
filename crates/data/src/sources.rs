//! The sources that a data set is joined from.

use std::ops::Range;

/// A source of a data set: neighbouring items of one origin.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceRows {
    /// Unique within the data set. It names the random order of the source.
    pub name: String,
    /// Indices of its items.
    pub rows: Range<usize>,
    /// Share of the training samples that come from this source, relative to the others. `None`
    /// in all sources of a data set whose items are used equally often.
    pub weight: Option<f64>,
    /// `true` if neighbours lie next to each other in large files, as
    /// [`crate::Dataset::is_sequential`].
    pub is_sequential: bool,
}
