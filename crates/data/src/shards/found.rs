//! The receiver of samples and faults of a shard, as its scan finds them.

use super::faults::Faults;
use super::index::{Entry, IndexWriter};
use super::pack::ShardStats;
use super::place::Place;
use super::texts::Texts;
use crate::lists::fault::Fault;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::path::Path;
use toolkit_system::files::FileError;
use toolkit_system::progress::Progress;

/// A sample of a shard.
pub(crate) struct Sample {
    /// Name within the shard.
    pub key: String,
    /// Ending of the picture: its name behind the key, such as `.jpg`.
    pub ending: String,
    /// Place of the picture.
    pub place: Place,
    /// Captions and what else belongs to them.
    pub texts: Texts,
}

/// A receiver of samples and faults.
pub(crate) struct Found<'a, 'w> {
    writer: &'a mut IndexWriter<'w>,
    progress: &'a dyn Progress,
    keys: HashSet<[u8; 16]>,
    /// Faults so far.
    pub faults: Faults,
}

impl<'a, 'w> Found<'a, 'w> {
    /// Creates a receiver that writes samples to an index.
    pub fn new(writer: &'a mut IndexWriter<'w>, progress: &'a dyn Progress) -> Self {
        Self { writer, progress, keys: HashSet::new(), faults: Faults::default() }
    }

    /// Takes a sample. One without captions is a fault only where others have some, which is known
    /// once all shards are.
    ///
    /// # Errors
    /// If the index cannot be written.
    pub fn sample(&mut self, sample: Sample) -> Result<(), FileError> {
        // Half a digest: two of ten million keys are equal by chance once in 10^24 times.
        let digest = Sha256::digest(sample.key.as_bytes());
        let half = digest.first_chunk::<16>().copied().unwrap_or_default();
        if !self.keys.insert(half) {
            let what = "the key is there again: this sample is left out";
            let hint = "give every sample a key of its own, its members one after the other";
            let name = format!("{}{}", sample.key, sample.ending);
            self.faults.add(Fault::Duplicate, &name, what, hint);
            return Ok(());
        }
        let Sample { key, ending, place, texts } = sample;
        self.writer.add(place, &Entry { key, ending, texts })
    }

    /// Compares the number of samples with the numbers that img2dataset and `toolkit data pack` write
    /// beside a shard.
    pub fn compare(&mut self, shard: &Path) {
        let name = shard.file_name().unwrap_or_default().to_string_lossy();
        let beside = ShardStats::beside(&name);
        let Some(stated) = ShardStats::samples(&shard.with_file_name(&beside)) else { return };
        let told = self.keys.len() as u64;
        if told != stated {
            let what = format!("it has {told} samples, {beside} says {stated}");
            self.faults.add(Fault::WrongSize, "", what, "get or write the shard again");
        }
    }

    /// Tells of bytes that were read.
    pub fn advance(&self, bytes: u64) {
        self.progress.advance(bytes);
    }
}
