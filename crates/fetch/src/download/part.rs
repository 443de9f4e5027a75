//! The `.part` of a download.

use crate::FetchError;
use crate::http::Trouble;
use std::fs::File;
use std::io::{Error, Seek, SeekFrom, Write};
use std::path::Path;

/// A file that bytes are appended to, and its length.
pub(super) struct Part<'a> {
    path: &'a Path,
    file: File,
    /// Length in bytes.
    pub length: u64,
}

impl<'a> Part<'a> {
    /// Opens the file at its end, or creates it.
    pub(super) fn open(path: &'a Path) -> Result<Self, Trouble> {
        let failed = |error| Trouble::fatal(FetchError::io("write", path)(error));
        let mut file =
            File::options().create(true).write(true).truncate(false).open(path).map_err(failed)?;
        let length = file.seek(SeekFrom::End(0)).map_err(failed)?;
        Ok(Self { path, file, length })
    }

    /// Empties the file.
    pub(super) fn restart(&mut self) -> Result<(), Trouble> {
        self.length = 0;
        self.file.set_len(0).and_then(|()| self.file.rewind()).map_err(|error| self.failed(error))
    }

    /// Appends bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        self.file.write_all(bytes).map_err(|error| self.failed(error))?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Waits until the disk has all bytes.
    pub(super) fn sync(&self) -> Result<(), Trouble> {
        self.file.sync_data().map_err(|error| self.failed(error))
    }

    /// Creates the error of a file that cannot be written.
    pub(super) fn failed(&self, error: Error) -> Trouble {
        Trouble::fatal(FetchError::io("write", self.path)(error))
    }
}
