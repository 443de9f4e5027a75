//! A file that reports its first error only.

use std::io::{Error, ErrorKind, Result, Seek, SeekFrom, Write};

/// A file that stores its first error and then accepts everything.
///
/// A `ZipWriter` ends its archive when it is dropped, and prints to standard error if it cannot.
pub(super) struct Failing<'a, W> {
    file: &'a mut W,
    failed: &'a mut Option<Error>,
    /// Place and length in bytes, which stay right after an error.
    at: u64,
    end: u64,
}

impl<'a, W> Failing<'a, W> {
    /// Wraps a file at its beginning, and the place of its error.
    pub(super) fn new(file: &'a mut W, failed: &'a mut Option<Error>) -> Self {
        Self { file, failed, at: 0, end: 0 }
    }
}

impl<W: Write + Seek> Write for Failing<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let mut done = bytes.len();
        if self.failed.is_none() {
            match self.file.write(bytes) {
                Ok(count) => done = count,
                Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
                Err(error) => {
                    let same_kind = Error::from(error.kind());
                    *self.failed = Some(error);
                    return Err(same_kind);
                }
            }
        }
        self.at += done as u64;
        self.end = self.end.max(self.at);
        Ok(done)
    }

    fn flush(&mut self) -> Result<()> {
        if self.failed.is_some() { Ok(()) } else { self.file.flush() }
    }
}

impl<W: Write + Seek> Seek for Failing<'_, W> {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::Current(more) => self.at.checked_add_signed(more),
            SeekFrom::End(more) => self.end.checked_add_signed(more),
        };
        let place = place.ok_or_else(|| Error::from(ErrorKind::InvalidInput))?;
        if self.failed.is_none()
            && place != self.at
            && let Err(error) = self.file.seek(SeekFrom::Start(place))
        {
            // A buffer is written before a seek.
            *self.failed = Some(error);
        }
        self.at = place;
        Ok(place)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use std::io::Cursor;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    /// A disk of `room` bytes, which refuses a write once.
    struct Disk {
        bytes: Cursor<Vec<u8>>,
        room: u64,
        refused: usize,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> Result<usize> {
            let left = self.room.saturating_sub(self.bytes.position()) as usize;
            if left == 0 && !bytes.is_empty() {
                self.refused += 1;
                return Err(ErrorKind::StorageFull.into());
            }
            self.bytes.write(&bytes[..bytes.len().min(left)])
        }

        fn flush(&mut self) -> Result<()> {
            Ok(())
        }
    }

    impl Seek for Disk {
        fn seek(&mut self, to: SeekFrom) -> Result<u64> {
            self.bytes.seek(to)
        }
    }

    fn write(file: impl Write + Seek) -> zip::result::ZipResult<()> {
        let mut zip = ZipWriter::new(file);
        for name in ["a", "b"] {
            zip.start_file(name, SimpleFileOptions::default().large_file(true))?;
            zip.write_all(&[7; 100])?;
        }
        zip.finish().map(drop)
    }

    #[test]
    fn a_full_disk_is_asked_once_wherever_it_ends() {
        let whole = {
            let mut whole = Cursor::new(Vec::new());
            write(&mut whole).unwrap();
            whole.into_inner()
        };
        for room in 0..=whole.len() as u64 {
            let mut disk = Disk { bytes: Cursor::new(Vec::new()), room, refused: 0 };
            let mut failed = None;
            let written = write(Failing::new(&mut disk, &mut failed));
            let fits = room == whole.len() as u64;
            assert_eq!(
                (written.is_ok(), failed.is_none(), disk.refused),
                (fits, fits, usize::from(!fits)),
                "{room}"
            );
            match failed {
                Some(error) => assert_eq!(error.kind(), ErrorKind::StorageFull),
                None => {
                    assert_eq!(disk.bytes.into_inner(), whole, "the bytes are those without it")
                }
            }
        }
    }
}
