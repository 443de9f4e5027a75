//! Rows of values that are read where they lie: a picture or a part of it.

use std::borrow::Cow;
use std::ops::Range;

/// Rows of `width` values, each `stride` values behind the one before.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    /// From the first value of the first row to the last one of the last row.
    pub(crate) values: &'a [u8],
    /// Values from the beginning of a row to that of the next.
    pub(crate) stride: usize,
    /// Values of a row.
    pub(crate) width: usize,
    /// Number of rows.
    pub(crate) height: usize,
}

impl<'a> View<'a> {
    /// Views the first `height` rows of `values`.
    pub(crate) fn of(values: &'a [u8], width: usize, height: usize) -> Self {
        Self { values: &values[..width * height], stride: width, width, height }
    }

    /// Views some columns (counted in values) and rows, at least one of either.
    pub(crate) fn part(self, columns: Range<usize>, rows: Range<usize>) -> Self {
        let (width, height) = (columns.len(), rows.len());
        assert!(columns.end <= self.width && rows.end <= self.height, "the part must be within");
        let length = (height - 1) * self.stride + width;
        let values = &self.values[rows.start * self.stride + columns.start..][..length];
        Self { values, width, height, ..self }
    }

    /// Returns the rows without gaps between them.
    pub(crate) fn packed(self) -> Cow<'a, [u8]> {
        if self.stride == self.width {
            return self.values.into();
        }
        let rows = self.values.chunks(self.stride);
        rows.flat_map(|row| &row[..self.width]).copied().collect()
    }
}
