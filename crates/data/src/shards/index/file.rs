//! An index that is there, read by positioned reads.

use super::form::{Entry, FOOTER, Header, MAGIC, RECORD, Record};
use crate::shards::place::Place;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Error, ErrorKind, Result, Write};
use std::path::{Path, PathBuf};
use toolkit_system::input::read_exact_at;

/// Bytes that are copied at once.
const BLOCK: u64 = 1 << 20;

/// An open index.
pub(crate) struct IndexFile {
    path: PathBuf,
    file: File,
    header: Header,
    /// Number of the first sample and place of the first text of each shard, and the end.
    firsts: Vec<(u64, u64)>,
    records_at: u64,
}

impl IndexFile {
    /// Opens an index; `None` if there is none that is whole and of this version.
    pub fn open(path: &Path) -> Option<Self> {
        let file = toolkit_system::input::open(path).ok()?;
        let header = read_header(&file).ok()?;
        let (mut samples, mut text) = (0_u64, MAGIC.len() as u64);
        let mut firsts = vec![(samples, text)];
        for shard in &header.0.shards {
            (samples, text) = (samples.checked_add(shard.samples)?, text.checked_add(shard.texts)?);
            firsts.push((samples, text));
        }
        let end = samples.checked_mul(RECORD as u64)?.checked_add(text)?;
        let (header, at) = header;
        (end == at).then(|| Self { path: path.to_owned(), file, header, firsts, records_at: text })
    }

    /// Returns the header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Returns the path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the number of samples.
    pub fn len(&self) -> u64 {
        self.firsts.last().map_or(0, |(samples, _)| *samples)
    }

    /// Returns the number of the shard that has a sample.
    pub fn shard_of(&self, sample: u64) -> usize {
        self.firsts.partition_point(|(first, _)| *first <= sample).saturating_sub(1)
    }

    /// Returns the number of the first sample of a shard.
    pub fn first_of(&self, shard: usize) -> u64 {
        self.firsts[shard].0
    }

    /// Reads a sample.
    ///
    /// # Errors
    /// If the file cannot be read, is damaged there, or has no such sample.
    pub fn sample(&self, sample: u64) -> Result<(Place, Entry)> {
        let damaged = || Error::new(ErrorKind::InvalidData, "the index is damaged");
        if sample >= self.len() {
            return Err(damaged());
        }
        let mut bytes = [0; RECORD];
        read_exact_at(&self.file, &mut bytes, self.records_at + sample * RECORD as u64)?;
        let record = Record::of(&bytes);
        let shard = self.shard_of(sample);
        let ((_, from), (_, to)) = (self.firsts[shard], self.firsts[shard + 1]);
        let at = from
            .checked_add(record.text)
            .filter(|at| at.checked_add(u64::from(record.length)).is_some_and(|end| end <= to));
        let mut entry = vec![0; if at.is_some() { record.length as usize } else { 0 }];
        read_exact_at(&self.file, &mut entry, at.ok_or_else(damaged)?)?;
        if !Record::is_whole(&bytes, &entry) {
            return Err(damaged());
        }
        Ok((record.place, serde_json::from_slice(&entry).map_err(|_| damaged())?))
    }

    /// Lists the samples of a shard that have no caption.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn bare(&self, shard: usize) -> Result<Vec<u64>> {
        let (mut at, length) = self.area(shard, true);
        let (mut sample, end) = (self.first_of(shard), at + length);
        let mut bare = Vec::new();
        while at < end {
            let mut block = vec![0; BLOCK.min(end - at) as usize];
            read_exact_at(&self.file, &mut block, at)?;
            for record in block.as_chunks::<RECORD>().0 {
                if Record::of(record).bare {
                    bare.push(sample);
                }
                sample += 1;
            }
            at += block.len() as u64;
        }
        Ok(bare)
    }

    /// Returns where the texts or records of a shard begin, and their length.
    pub(super) fn area(&self, shard: usize, records: bool) -> (u64, u64) {
        let ((first, from), (last, to)) = (self.firsts[shard], self.firsts[shard + 1]);
        match records {
            true => (self.records_at + first * RECORD as u64, (last - first) * RECORD as u64),
            false => (from, to - from),
        }
    }

    /// Copies a part of the file.
    pub(super) fn copy(&self, mut from: u64, length: u64, to: &mut impl Write) -> Result<()> {
        let end = from + length;
        let mut block = vec![0; BLOCK.min(length) as usize];
        while from < end {
            let part = BLOCK.min(end - from) as usize;
            read_exact_at(&self.file, &mut block[..part], from)?;
            to.write_all(&block[..part])?;
            from += part as u64;
        }
        Ok(())
    }
}

/// Reads the header and returns its place.
fn read_header(file: &File) -> Result<(Header, u64)> {
    let foreign = || Error::new(ErrorKind::InvalidData, "no index of this version");
    let length = file.metadata()?.len();
    let footer_at = length.checked_sub(FOOTER as u64).ok_or_else(foreign)?;
    let (mut magic, mut footer) = ([0; MAGIC.len()], [0; FOOTER]);
    read_exact_at(file, &mut magic, 0)?;
    read_exact_at(file, &mut footer, footer_at)?;
    let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| footer[at + i]));
    let (at, size) = (number(0), number(8));
    if magic != MAGIC || footer[48..] != MAGIC || at.checked_add(size) != Some(footer_at) {
        return Err(foreign());
    }
    let mut bytes = vec![0; usize::try_from(size).map_err(|_| foreign())?];
    read_exact_at(file, &mut bytes, at)?;
    if Sha256::digest(&bytes)[..] != footer[16..48] {
        return Err(foreign());
    }
    Ok((serde_json::from_slice(&bytes)?, at))
}
