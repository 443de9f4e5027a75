//! The file of numbers beside a shard, with the keys of img2dataset.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use toolkit_system::files::{FileError, write_bytes};

/// Numbers of one shard, which lie beside it as `00000_stats.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardStats {
    /// Number of the shard.
    #[serde(default)]
    pub number: u64,
    /// Samples that were taken, those that were skipped included.
    pub count: u64,
    /// Samples in the shard.
    pub successes: u64,
    /// Captions in the shard.
    #[serde(default)]
    pub captions: u64,
    /// Bytes of the shard.
    #[serde(default)]
    pub bytes: u64,
    /// Sums of [`crate::PackedSample::counts`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counts: BTreeMap<String, u64>,
}

impl ShardStats {
    /// Returns the name of the shard of a number.
    #[must_use]
    pub fn file(number: u64) -> String {
        format!("{number:05}.tar")
    }

    /// Returns the name of the numbers of a shard, such as `00000_stats.json` of `00000.tar`.
    pub(in crate::shards) fn beside(shard: &str) -> String {
        format!("{}_stats.json", shard.strip_suffix(".tar").unwrap_or(shard))
    }

    /// Reads the numbers of a shard that is there whole; `None` if it is not.
    pub(super) fn read(folder: &Path, number: u64) -> Option<Self> {
        let file = Self::file(number);
        let bytes = toolkit_system::input::read(&folder.join(Self::beside(&file))).ok()?;
        let stats: Self = serde_json::from_slice(&bytes).ok()?;
        let length = std::fs::metadata(folder.join(&file)).ok()?.len();
        (stats.number == number && stats.bytes == length).then_some(stats)
    }

    /// Reads the number of samples from the numbers beside a shard, if they are there.
    pub(in crate::shards) fn samples(path: &Path) -> Option<u64> {
        let bytes = toolkit_system::input::read(path).ok()?;
        let row: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
        row.get("successes")?.as_u64()
    }

    /// Writes the numbers.
    pub(super) fn write(&self, folder: &Path) -> Result<(), FileError> {
        let path = folder.join(Self::beside(&Self::file(self.number)));
        let bytes = serde_json::to_vec_pretty(self);
        let bytes = bytes.map_err(|error| FileError::new(&path, error.into()))?;
        write_bytes(&path, &bytes)
    }
}
