//! Open shards: a data set may have more than the system keeps open.

use super::container::OpenShard;
use super::kinds::container;
use super::place::{ShardFile, Stamp};
use super::texts::TextRule;
use std::collections::HashMap;
use std::io::{Error, ErrorKind, Result};
use std::sync::{Arc, Mutex, PoisonError};

/// Shards that are open at a time, by default of systems a part of what a process may open.
const MOST: usize = 128;

/// Open shards, those used longest ago closed first.
#[derive(Default)]
pub(super) struct Pool(Mutex<State>);

#[derive(Default)]
struct State {
    open: HashMap<usize, (Arc<dyn OpenShard>, u64)>,
    uses: u64,
}

impl Pool {
    /// Returns the open shard of a number.
    ///
    /// # Errors
    /// If the system refuses, or the shard is not the one that was indexed.
    pub fn get(
        &self,
        at: usize,
        shard: &ShardFile,
        (stamp, rule): (Stamp, &TextRule),
    ) -> Result<Arc<dyn OpenShard>> {
        if let Some(open) = self.used(at, None) {
            return Ok(open);
        }
        // A shard that could not be read when it was indexed has no stamp.
        if stamp != Stamp::default() && Stamp::of(&shard.path)? != stamp {
            let what = "it has changed since it was indexed: start again";
            return Err(Error::new(ErrorKind::InvalidData, what));
        }
        let open = container(shard.kind).open(&shard.path, rule)?;
        Ok(self.used(at, Some(open.clone())).unwrap_or(open))
    }

    /// Marks a shard as used, after adding it if it was opened now.
    fn used(&self, at: usize, opened: Option<Arc<dyn OpenShard>>) -> Option<Arc<dyn OpenShard>> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.uses += 1;
        let now = state.uses;
        if let Some(opened) = opened {
            if state.open.len() >= MOST
                && let Some(oldest) = state.open.iter().min_by_key(|(_, (_, use_))| *use_)
            {
                let oldest = *oldest.0;
                state.open.remove(&oldest);
            }
            state.open.entry(at).or_insert((opened, now));
        }
        let (open, last) = state.open.get_mut(&at)?;
        *last = now;
        Some(open.clone())
    }
}
