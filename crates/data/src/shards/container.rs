//! The contract of a kind of shard: its samples are found once, its pictures read at any time.

use super::found::Found;
use super::place::{Place, Sum};
use super::texts::TextRule;
use crate::DataError;
use std::io::Result;
use std::path::Path;
use std::sync::Arc;

/// A kind of shard.
pub(crate) trait Container: Sync {
    /// Scans a shard: tells its samples in their order and counts every fault. Returns the SHA-256
    /// of everything that was read.
    ///
    /// # Errors
    /// If the system fails, or the index cannot be written. Damage is no error: what comes before
    /// it is kept.
    fn scan(
        &self,
        path: &Path,
        rule: &TextRule,
        found: &mut Found<'_, '_>,
    ) -> std::result::Result<Sum, DataError>;

    /// Opens a shard that was scanned by a rule.
    ///
    /// # Errors
    /// If the system refuses, or the shard is damaged.
    fn open(&self, path: &Path, rule: &TextRule) -> Result<Arc<dyn OpenShard>>;
}

/// An open shard.
pub(crate) trait OpenShard: Send + Sync {
    /// Reads the file of a picture. `name` is the picture's name, as the scan told it.
    ///
    /// # Errors
    /// If it cannot be read.
    fn picture(&self, place: Place, name: &str) -> Result<Vec<u8>>;
}
