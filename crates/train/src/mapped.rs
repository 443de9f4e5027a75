//! Rows of numbers in half precision, in a file that is mapped: processes that read the same rows share one copy of them.

use half::f16;
use half::slice::HalfFloatSliceExt;
use memmap2::{Mmap, UncheckedAdvice};
use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::path::Path;

/// What one table of pages maps: neighbours are not mapped from beyond it.
const TABLE: usize = 2 << 20;

/// A mapped file of rows.
#[derive(Debug)]
pub(crate) struct Mapped {
    file: File,
    /// Nothing of a file that holds nothing.
    map: Option<Mmap>,
    /// Values of a row.
    count: usize,
}

impl Mapped {
    /// Maps a file of rows of `count` values each, little-endian.
    #[expect(unsafe_code, reason = "memory-mapping a file has no safe form")]
    pub(crate) fn open(path: &Path, count: usize) -> Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        // SAFETY: the map is read only, and any bytes are valid numbers. Nobody writes into a cache: it gets its name when it is whole, and
        // who replaces or removes it leaves this file as it is. If it is cut nevertheless, `read` says so; if that happens between its look
        // and the end of its reading, or the disk fails, the process ends (SIGBUS).
        let map = if length > 0 { Some(unsafe { Mmap::map(&file) }?) } else { None };
        Ok(Self { file, map, count })
    }

    /// Widens `rows`, one after the other.
    ///
    /// # Errors
    /// If the file has no such row, or no longer has it.
    pub(crate) fn read(&self, rows: &[usize]) -> Result<Vec<f32>> {
        let (bytes, size) = (self.map.as_deref().unwrap_or_default(), self.count * 2);
        let held = bytes.len().min(usize::try_from(self.file.metadata()?.len()).unwrap_or(usize::MAX));
        if let Some(row) = rows.iter().find(|&&row| (row + 1) * size > held) {
            return Err(Error::new(ErrorKind::UnexpectedEof, format!("row {row} lies behind the end of the file")));
        }
        let (mut values, mut narrow) = (vec![0.0; rows.len() * self.count], vec![f16::ZERO; self.count]);
        for (&row, wide) in rows.iter().zip(values.chunks_exact_mut(self.count.max(1))) {
            let pairs = bytes[row * size..(row + 1) * size].as_chunks::<2>().0;
            for (half, pair) in narrow.iter_mut().zip(pairs) {
                *half = f16::from_le_bytes(*pair);
            }
            // Eight at a time where the processor can.
            narrow.convert_to_f32_slice(wide);
            self.let_go(row * size, (row + 1) * size);
        }
        Ok(values)
    }

    /// Unmaps bytes that were read, and their neighbours, which the system maps with them: it keeps them, but they are no longer counted as
    /// this process's memory, which would otherwise grow to the size of the file. The rest of a large map is not gone through.
    #[expect(unsafe_code, reason = "memmap2 cannot know that nothing was written")]
    fn let_go(&self, from: usize, to: usize) {
        if let Some(map) = &self.map {
            let (from, to) = (from / TABLE * TABLE, to.next_multiple_of(TABLE).min(map.len()));
            // SAFETY: nothing can be written to the map, so what is read there again is the file. That advice is refused changes nothing.
            let _ = unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, from, to - from) };
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn file(rows: u16) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let values: Vec<u8> = (0..rows * 3).flat_map(|i| f16::from_f32(f32::from(i) / 4.0).to_le_bytes()).collect();
        std::fs::write(file.path(), values).unwrap();
        file
    }

    #[test]
    fn rows_come_in_the_order_asked_for() {
        let file = file(4);
        let rows = Mapped::open(file.path(), 3).unwrap();
        assert_eq!(rows.read(&[2, 0, 2]).unwrap(), [1.5, 1.75, 2.0, 0.0, 0.25, 0.5, 1.5, 1.75, 2.0]);
        assert_eq!(rows.read(&[]).unwrap(), [0.0; 0]);
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        let held = file(4);
        let rows = Mapped::open(held.path(), 3).unwrap();
        assert!(rows.read(&[1, 4]).unwrap_err().to_string().contains("row 4"));
        held.as_file().set_len(2 * 6).unwrap();
        assert_eq!(rows.read(&[1]).unwrap(), [0.75, 1.0, 1.25]);
        assert!(rows.read(&[2]).unwrap_err().to_string().contains("row 2"));
        assert!(Mapped::open(file(0).path(), 3).unwrap().read(&[0]).is_err());
    }

    #[test]
    fn a_file_that_is_removed_or_replaced_is_read_on() {
        let (held, other) = (file(2), file(0));
        let rows = Mapped::open(held.path(), 3).unwrap();
        std::fs::rename(other.path(), held.path()).unwrap();
        assert_eq!(rows.read(&[1]).unwrap(), [0.75, 1.0, 1.25]);
        held.close().unwrap();
        assert_eq!(rows.read(&[0]).unwrap(), [0.0, 0.25, 0.5]);
    }
}
