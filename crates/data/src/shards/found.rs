//! The receiver of samples and faults of a shard, as its scan finds them.

use super::faults::Faults;
use super::index::{Entry, ShardWriter};
use super::place::Place;
use super::texts::Texts;
use crate::lists::fault::Fault;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use toolkit_system::files::FileError;
use toolkit_system::progress::Progress;

/// A sample of a shard.
pub(crate) struct Sample {
    /// Name within the shard.
    pub key: String,
    /// What follows the key in the name of the picture, such as `.jpg`.
    pub ending: String,
    /// Place of the picture.
    pub place: Place,
    /// Captions and what else belongs to them.
    pub texts: Texts,
}

/// A receiver of samples and faults.
pub(crate) struct Found<'a, 'w> {
    writer: &'a mut ShardWriter<'w>,
    progress: &'a dyn Progress,
    keys: HashSet<[u8; 16]>,
    /// Faults so far.
    pub faults: Faults,
}

impl<'a, 'w> Found<'a, 'w> {
    /// Creates a receiver that writes samples to an index.
    pub fn new(writer: &'a mut ShardWriter<'w>, progress: &'a dyn Progress) -> Self {
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

    /// Tells of bytes that were read.
    pub fn advance(&self, bytes: u64) {
        self.progress.advance(bytes);
    }
}
