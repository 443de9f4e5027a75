//! Reading forward through the head of a GGUF file.

use crate::error::{Fault, one_line};

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

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], Fault> {
        let bytes = self.at.checked_add(len).and_then(|end| self.bytes.get(self.at..end));
        let bytes = bytes.ok_or_else(|| self.cut())?;
        self.at += len;
        Ok(bytes)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        self.take(N)?.first_chunk().copied().ok_or_else(|| self.cut())
    }

    pub(super) fn u32(&mut self) -> Result<u32, Fault> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Fault> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Fault> {
        let at = self.at;
        let len = self.len(1)?;
        let bytes = self.take(len)?;
        std::str::from_utf8(bytes).map_err(|_| {
            Fault::damaged(
                format!("`{}` is not UTF-8", one_line(&String::from_utf8_lossy(bytes))),
                at,
            )
        })
    }

    /// A count of things of at least `size` bytes each, checked against what is left of the file.
    pub(super) fn len(&mut self, size: usize) -> Result<usize, Fault> {
        let count = self.u64()?;
        let left = (self.bytes.len() - self.at) / size;
        usize::try_from(count).ok().filter(|count| *count <= left).ok_or_else(|| self.cut())
    }

    pub(super) fn fault(&self, what: impl Into<String>) -> Fault {
        Fault::damaged(what, self.at)
    }

    fn cut(&self) -> Fault {
        self.fault("the head of the GGUF file is cut off")
    }
}
