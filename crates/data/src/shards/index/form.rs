//! The parts of an index file.

use crate::shards::faults::Faults;
use crate::shards::place::{Place, ShardKind, Stamp};
use crate::shards::texts::{TextRule, Texts};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// First and last bytes of a file. The digit is the version: another one is built again.
pub(super) const MAGIC: [u8; 8] = *b"TKSHARD1";
/// Bytes of a record.
pub(super) const RECORD: usize = 32;
/// Bytes of the footer.
pub(super) const FOOTER: usize = 8 + 8 + 32 + MAGIC.len();
/// Bit of a record whose sample has neither a caption nor a question.
const BARE: u32 = 1;

/// Texts and names of a sample.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Name of the sample within its shard.
    #[serde(rename = "k")]
    pub key: String,
    /// Ending of the picture: its name behind the key.
    #[serde(rename = "e")]
    pub ending: String,
    /// Captions and what belongs to them.
    #[serde(flatten)]
    pub texts: Texts,
}

impl Entry {
    /// Returns the name of the picture within the shard.
    pub fn file(&self) -> String {
        format!("{}{}", self.key, self.ending)
    }
}

/// A shard in the header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shard {
    /// Absolute path.
    pub path: String,
    /// Kind.
    pub kind: ShardKind,
    /// Size and time when it was scanned.
    pub stamp: Stamp,
    /// SHA-256 of what was scanned.
    pub sha256: String,
    /// Number of samples.
    pub samples: u64,
    /// Number of samples with neither a caption nor a question.
    pub bare: u64,
    /// Number of captions.
    pub captions: u64,
    /// Bytes of the texts.
    pub texts: u64,
    /// Faults.
    pub faults: Faults,
}

/// The header.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    /// Rule by which captions were found.
    pub rule: TextRule,
    /// The shards in their order.
    pub shards: Vec<Shard>,
}

/// The fixed part of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Place of the picture in its shard.
    pub place: Place,
    /// Beginning of the entry, from the first text of the shard on.
    pub text: u64,
    /// Length of the entry.
    pub length: u32,
    /// `true` if the sample has neither a caption nor a question.
    pub bare: bool,
}

impl Record {
    /// Writes the record. The sum covers record and entry: damage of either is found.
    pub fn bytes(&self, entry: &[u8]) -> [u8; RECORD] {
        let mut bytes = [0; RECORD];
        bytes[..8].copy_from_slice(&self.place.offset.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.text.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.place.length.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.length.to_le_bytes());
        bytes[24..28].copy_from_slice(&if self.bare { BARE } else { 0 }.to_le_bytes());
        let sum = sum(&bytes[..28], entry);
        bytes[28..].copy_from_slice(&sum);
        bytes
    }

    /// Reads a record.
    pub fn of(bytes: &[u8; RECORD]) -> Self {
        let long = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        let short = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        Self {
            place: Place { offset: long(0), length: short(16) },
            text: long(8),
            length: short(20),
            bare: short(24) & BARE != 0,
        }
    }

    /// Returns `true` if the record and its entry are as they were written.
    pub fn is_whole(bytes: &[u8; RECORD], entry: &[u8]) -> bool {
        bytes[28..] == sum(&bytes[..28], entry)
    }
}

fn sum(record: &[u8], entry: &[u8]) -> [u8; 4] {
    let digest = Sha256::new_with_prefix(record).chain_update(entry).finalize();
    std::array::from_fn(|at| digest[at])
}
