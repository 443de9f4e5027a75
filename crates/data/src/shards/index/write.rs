//! Writing of an index: of one shard while it is scanned, and of many from their own indexes.

use super::file::IndexFile;
use super::form::{Entry, Header, MAGIC, RECORD, Record, Shard};
use crate::DataError;
use crate::shards::place::Place;
use crate::shards::texts::TextRule;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufWriter, Error, Write};
use std::path::Path;
use std::sync::Arc;
use toolkit_system::files::{FileError, write_atomic};

/// The open index of a shard that is being scanned. Texts go to the file at once; records stay in
/// memory, [`RECORD`] bytes each.
pub(crate) struct IndexWriter<'a> {
    file: &'a mut BufWriter<File>,
    path: &'a Path,
    records: Vec<u8>,
    entry: Vec<u8>,
    texts: u64,
    bare: u64,
    captions: u64,
}

impl IndexWriter<'_> {
    /// Adds a sample.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn add(&mut self, place: Place, entry: &Entry) -> Result<(), FileError> {
        let fail = |error| FileError::new(self.path, error);
        self.entry.clear();
        serde_json::to_writer(&mut self.entry, entry).map_err(|error| fail(error.into()))?;
        let length = u32::try_from(self.entry.len()).map_err(|error| fail(Error::other(error)))?;
        let bare = entry.texts.is_empty();
        let record = Record { place, text: self.texts, length, bare };
        self.file.write_all(&self.entry).map_err(fail)?;
        self.records.extend(record.bytes(&self.entry));
        self.texts += u64::from(length);
        self.bare += u64::from(bare);
        self.captions += entry.texts.captions.len() as u64;
        Ok(())
    }
}

/// Writes the index of one shard. `scan` tells its samples to the writer and returns the shard,
/// whose counts are filled in here.
///
/// # Errors
/// Those of `scan`, or if the file cannot be written.
pub(crate) fn write_shard(
    path: &Path,
    rule: &TextRule,
    scan: impl FnOnce(&mut IndexWriter<'_>) -> Result<Shard, DataError>,
) -> Result<(), DataError> {
    write_atomic(path, |file| {
        let fail = |error| DataError::from(FileError::new(path, error));
        file.write_all(&MAGIC).map_err(fail)?;
        let mut writer = IndexWriter {
            file,
            path,
            records: vec![],
            entry: vec![],
            texts: 0,
            bare: 0,
            captions: 0,
        };
        let shard = scan(&mut writer)?;
        let IndexWriter { file, records, texts, bare, captions, .. } = writer;
        let samples = (records.len() / RECORD) as u64;
        file.write_all(&records).map_err(fail)?;
        let shard = Shard { samples, bare, captions, texts, ..shard };
        let header = Header { rule: rule.clone(), shards: vec![shard] };
        let at = (MAGIC.len() + records.len()) as u64 + texts;
        end(file, &header, at).map_err(fail)
    })
}

/// A shard of an index that is there.
pub(crate) struct Piece {
    /// The index.
    pub index: Arc<IndexFile>,
    /// Number of the shard in it.
    pub shard: usize,
}

/// Writes the index of many shards. `piece` opens the index of the shard of a number.
///
/// # Errors
/// Those of `piece`, or if a piece cannot be read or the file not be written.
pub(crate) fn write_joined(
    path: &Path,
    header: &Header,
    piece: &dyn Fn(usize) -> Result<Piece, DataError>,
) -> Result<(), DataError> {
    write_atomic(path, |file| {
        let fail = |error| DataError::from(FileError::new(path, error));
        let mut at = MAGIC.len() as u64;
        file.write_all(&MAGIC).map_err(fail)?;
        for records in [false, true] {
            for shard in 0..header.shards.len() {
                let Piece { index, shard } = piece(shard)?;
                let (from, length) = index.area(shard, records);
                index.copy(from, length, file).map_err(fail)?;
                at += length;
            }
        }
        end(file, header, at).map_err(fail)
    })
}

/// Writes header and footer.
fn end(file: &mut impl Write, header: &Header, at: u64) -> std::io::Result<()> {
    let bytes = serde_json::to_vec(header)?;
    file.write_all(&bytes)?;
    file.write_all(&at.to_le_bytes())?;
    file.write_all(&(bytes.len() as u64).to_le_bytes())?;
    file.write_all(&Sha256::digest(&bytes))?;
    file.write_all(&MAGIC)
}
