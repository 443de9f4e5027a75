//! Rows of numbers in half precision, in a memory-mapped file: processes that read the same rows
//! share one copy of them.
//!
//! Every block of rows is compared with its SHA-256 before its first row is returned. All readers
//! of a map share the result of the comparison.

use super::header::{Layout, Sum, sum};
use half::f16;
use half::slice::HalfFloatSliceExt;
use memmap2::{Mmap, UncheckedAdvice};
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use toolkit_system::digest::hex;

/// Bytes that one page table maps. The system maps neighbours of a page within its table only.
const TABLE: usize = 2 << 20;

/// A mapped file of rows.
#[derive(Debug)]
pub(crate) struct Mapped {
    file: File,
    /// Map of the file; `None` if the file is empty.
    map: Option<Mmap>,
    layout: Layout,
    sums: Vec<Sum>,
    /// Blocks whose hash is right.
    checked: Vec<AtomicBool>,
    /// Blocks whose hash is wrong.
    damaged: Mutex<BTreeSet<usize>>,
}

impl Mapped {
    /// Maps a file of rows, little-endian, with the hashes of its blocks.
    #[expect(unsafe_code, reason = "memory-mapping a file has no safe form")]
    pub(crate) fn open(path: &Path, layout: Layout, sums: Vec<Sum>) -> Result<Self> {
        let file = toolkit_system::input::open(path)?;
        let length = file.metadata()?.len();
        // SAFETY: the map is read only, and any bytes are valid numbers. A cache gets its name when
        // it is whole. Replacing or removing it leaves this file as it is. Only damaged blocks are
        // written again, and no reader returns their rows before their hash is right. If the file
        // is truncated, `read` returns an error. If that happens while `read` copies, or the disk
        // fails, the process ends (SIGBUS).
        let map = if length > 0 { Some(unsafe { Mmap::map(&file) }?) } else { None };
        let checked = sums.iter().map(|_| AtomicBool::new(false)).collect();
        Ok(Self { file, map, layout, sums, checked, damaged: Mutex::default() })
    }

    /// Reads `rows` and converts them to `f32`, one after the other.
    ///
    /// # Errors
    /// [`ErrorKind::UnexpectedEof`] if the file does not have such a row, or has it no longer.
    /// [`ErrorKind::InvalidData`] if the hash of its block is wrong.
    pub(crate) fn read(&self, rows: &[usize]) -> Result<Vec<f32>> {
        let (bytes, size, count) = (
            self.map.as_deref().unwrap_or_default(),
            self.layout.row_bytes(),
            self.layout.values(),
        );
        let length =
            bytes.len().min(usize::try_from(self.file.metadata()?.len()).unwrap_or(usize::MAX));
        let last = |row: usize| self.layout.rows_of(row / self.layout.block_rows()).1;
        if let Some(row) =
            rows.iter().find(|&&row| row >= self.layout.rows || last(row) * size > length)
        {
            return Err(Error::new(
                ErrorKind::UnexpectedEof,
                format!("row {row} lies behind the end of the file"),
            ));
        }
        for &row in rows {
            let block = row / self.layout.block_rows();
            if !self.checked[block].load(Ordering::Relaxed) {
                self.check(block, bytes)?;
            }
        }
        let (mut values, mut narrow) = (vec![0.0; rows.len() * count], vec![f16::ZERO; count]);
        for (&row, wide) in rows.iter().zip(values.chunks_exact_mut(count.max(1))) {
            let pairs = bytes[row * size..(row + 1) * size].as_chunks::<2>().0;
            for (half, pair) in narrow.iter_mut().zip(pairs) {
                *half = f16::from_le_bytes(*pair);
            }
            // Eight at a time where the processor can.
            narrow.convert_to_f32_slice(wide);
            self.unmap(row * size, (row + 1) * size);
        }
        Ok(values)
    }

    /// Compares a block with its hash.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] if they differ.
    fn check(&self, block: usize, bytes: &[u8]) -> Result<()> {
        let ((from, to), size) = (self.layout.rows_of(block), self.layout.row_bytes());
        let found = sum(&bytes[from * size..to * size]);
        self.unmap(from * size, to * size);
        if found == self.sums[block] {
            self.checked[block].store(true, Ordering::Relaxed);
            return Ok(());
        }
        self.damaged().insert(block);
        let what =
            format!("block {block}, images {from} to {}, has the SHA-256 {}", to - 1, hex(&found));
        Err(Error::new(
            ErrorKind::InvalidData,
            format!("{what}, its header says {}", hex(&self.sums[block])),
        ))
    }

    /// Compares every block with its hash again, and returns the damaged ones.
    ///
    /// # Errors
    /// [`ErrorKind::UnexpectedEof`] if the file no longer has all its rows.
    pub(crate) fn check_all(&self) -> Result<BTreeSet<usize>> {
        let bytes = self.map.as_deref().unwrap_or_default();
        let length = self.file.metadata()?.len().min(bytes.len() as u64);
        if length < self.layout.bytes() {
            return Err(Error::new(
                ErrorKind::UnexpectedEof,
                format!("it has {length} bytes of {}", self.layout.bytes()),
            ));
        }
        (0..self.sums.len()).into_par_iter().for_each(|block| {
            // The set of damaged blocks is the result, so the error is not needed.
            let _ = self.check(block, bytes);
        });
        Ok(self.damaged().clone())
    }

    /// Returns the blocks that were found damaged.
    pub(crate) fn damaged(&self) -> MutexGuard<'_, BTreeSet<usize>> {
        self.damaged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the layout of the rows.
    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Returns the hash that a block must have.
    pub(crate) fn sum(&self, block: usize) -> &Sum {
        &self.sums[block]
    }

    /// Unmaps bytes that were read, and the neighbours that the system has mapped with them.
    ///
    /// Otherwise the memory of the process would grow to the size of the file. The pages stay in
    /// the system's cache. The rest of a large map is not visited.
    #[expect(unsafe_code, reason = "memmap2 cannot know that nothing was written")]
    fn unmap(&self, from: usize, to: usize) {
        if let Some(map) = &self.map {
            let (from, to) = (from / TABLE * TABLE, to.next_multiple_of(TABLE).min(map.len()));
            // SAFETY: nothing can be written to the map, so reading it again reads the file. If the
            // system refuses the advice, the result is the same.
            let _ =
                unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, from, to - from) };
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn file(rows: u16) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let values: Vec<u8> =
            (0..rows * 3).flat_map(|i| f16::from_f32(f32::from(i) / 4.0).to_le_bytes()).collect();
        std::fs::write(file.path(), values).unwrap();
        file
    }

    fn mapped(path: &Path, rows: usize) -> Mapped {
        let layout = Layout::new("key", [rows, 1, 3]).unwrap();
        let bytes = std::fs::read(path).unwrap();
        let sums = bytes.chunks(layout.block_rows() * layout.row_bytes()).map(sum).collect();
        Mapped::open(path, layout, sums).unwrap()
    }

    #[test]
    fn rows_come_in_the_order_asked_for() {
        let file = file(4);
        let rows = mapped(file.path(), 4);
        assert_eq!(
            rows.read(&[2, 0, 2]).unwrap(),
            [1.5, 1.75, 2.0, 0.0, 0.25, 0.5, 1.5, 1.75, 2.0]
        );
        assert_eq!(rows.read(&[]).unwrap(), [0.0; 0]);
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        let held = file(70);
        let rows = mapped(held.path(), 70);
        assert!(rows.read(&[1, 70]).unwrap_err().to_string().contains("row 70"));
        held.as_file().set_len(32 * 6).unwrap();
        assert_eq!(rows.read(&[1]).unwrap(), [0.75, 1.0, 1.25]);
        assert!(rows.read(&[32]).unwrap_err().to_string().contains("row 32"));
        assert!(mapped(file(0).path(), 0).read(&[0]).is_err());
    }

    #[test]
    fn a_file_that_is_removed_or_replaced_is_read_on() {
        let (held, other) = (file(2), file(0));
        let rows = mapped(held.path(), 2);
        std::fs::rename(other.path(), held.path()).unwrap();
        assert_eq!(rows.read(&[1]).unwrap(), [0.75, 1.0, 1.25]);
        held.close().unwrap();
        assert_eq!(rows.read(&[0]).unwrap(), [0.0, 0.25, 0.5]);
    }

    #[test]
    fn a_flipped_bit_is_found_wherever_it_is() {
        let held = file(70);
        let whole = std::fs::read(held.path()).unwrap();
        let sums: Vec<Sum> = whole.chunks(32 * 6).map(sum).collect();
        for bit in (0..whole.len() * 8).step_by(5) {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(held.path(), bytes).unwrap();
            let rows =
                Mapped::open(held.path(), Layout::new("key", [70, 1, 3]).unwrap(), sums.clone())
                    .unwrap();
            let block = bit / 8 / (32 * 6);
            let error = rows.read(&[(bit / 8) / 6]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData);
            assert!(
                error.to_string().contains(&format!("block {block}, images {}", block * 32)),
                "{error}"
            );
            assert_eq!(*rows.damaged(), BTreeSet::from([block]));
            assert!(rows.read(&[(block + 1) % 3 * 32]).is_ok(), "another block is whole");
        }
    }
}
