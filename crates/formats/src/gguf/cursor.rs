//! Forward reader of the head of a GGUF file.

use crate::error::{ParseError, one_line};

pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], ParseError> {
        let bytes = self.at.checked_add(len).and_then(|end| self.bytes.get(self.at..end));
        let bytes = bytes.ok_or_else(|| self.cut_off())?;
        self.at += len;
        Ok(bytes)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], ParseError> {
        self.take(N)?.first_chunk().copied().ok_or_else(|| self.cut_off())
    }

    pub(super) fn u32(&mut self) -> Result<u32, ParseError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, ParseError> {
        self.array().map(u64::from_le_bytes)
    }

    /// Reads a text: its length as 8 bytes, then UTF-8.
    pub(super) fn text(&mut self) -> Result<&'a str, ParseError> {
        let at = self.at;
        let len = self.len(1)?;
        let bytes = self.take(len)?;
        std::str::from_utf8(bytes).map_err(|_| {
            let shown = one_line(&String::from_utf8_lossy(bytes));
            ParseError::damaged(format!("`{shown}` is not UTF-8"), at)
        })
    }

    /// Reads a count of things of at least `size` bytes each, checked against the rest of the file.
    pub(super) fn len(&mut self, size: usize) -> Result<usize, ParseError> {
        let count = self.u64()?;
        let left = (self.bytes.len() - self.at) / size;
        usize::try_from(count).ok().filter(|count| *count <= left).ok_or_else(|| self.cut_off())
    }

    pub(super) fn error(&self, what: impl Into<String>) -> ParseError {
        ParseError::damaged(what.into(), self.at)
    }

    fn cut_off(&self) -> ParseError {
        self.error("the head of the GGUF file is cut off")
    }
}
