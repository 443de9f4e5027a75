//! Members of a tar file that is written: nothing in it but names, lengths and bytes.

use std::io::{Result, Write};
use tar::{Builder, EntryType, Header};

/// An open tar file.
pub(super) struct Members<W: Write> {
    builder: Builder<Counting<W>>,
}

impl<W: Write> Members<W> {
    /// Begins a file.
    pub fn new(to: W) -> Self {
        Self { builder: Builder::new(Counting { to, bytes: 0 }) }
    }

    /// Adds a member. Owner, group and time are zero, so that equal samples are equal files.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn add(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o644);
        header.set_size(bytes.len() as u64);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        self.builder.append_data(&mut header, name, bytes)
    }

    /// Returns the bytes that were written.
    pub fn bytes(&self) -> u64 {
        self.builder.get_ref().bytes
    }

    /// Writes the mark of the end, and returns the bytes of the file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn finish(self) -> Result<u64> {
        Ok(self.builder.into_inner()?.bytes)
    }
}

/// A writer that counts.
struct Counting<W> {
    to: W,
    bytes: u64,
}

impl<W: Write> Write for Counting<W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let written = self.to.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> Result<()> {
        self.to.flush()
    }
}
