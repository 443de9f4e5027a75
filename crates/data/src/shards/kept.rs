//! The kept index of a data set: found, or built on all cores and kept for the next start.
//!
//! Each shard is scanned into an index of its own, so a kill costs the shards in work only. A shard
//! that any kept index has, unchanged and read by the same rule, is not scanned again.

use super::faults::Faults;
use super::found::Found;
use super::index::{Header, IndexFile, Piece, Shard, write_joined, write_shard};
use super::kinds::container;
use super::place::{ShardFile, Stamp};
use super::texts::TextRule;
use crate::lists::fault::Fault;
use crate::{DataError, Opening};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs::{File, create_dir_all, remove_dir_all};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use toolkit_system::digest::hex;
use toolkit_system::files::{FileError, sweep_temporaries};
use toolkit_system::progress::Progress;

/// Ending of an index.
const ENDING: &str = "index";

/// Opens the index of shards, or builds it.
///
/// # Errors
/// If a shard is not there, or the index cannot be written.
pub(super) fn open(
    shards: &[ShardFile],
    rule: &TextRule,
    opening: &Opening,
) -> Result<IndexFile, DataError> {
    let stamp = |shard: &ShardFile| {
        let fail = |source| DataError::Read { path: shard.path.clone(), source };
        Stamp::of(&shard.path).map_err(fail)
    };
    let stamps = shards.par_iter().map(stamp).collect::<Result<Vec<Stamp>, _>>()?;
    let wanted = Wanted { shards, stamps, rule, opening, name: name(shards, rule) };
    if let Some(index) = wanted.kept() {
        return Ok(index);
    }
    let _lock = wanted.lock()?;
    match wanted.kept() {
        Some(index) => Ok(index),
        None => wanted.build(),
    }
}

/// Returns the name of the index: the folder of the shards, and a digest of their list.
fn name(shards: &[ShardFile], rule: &TextRule) -> String {
    let mut hash = Sha256::new_with_prefix(format!("{rule:?}"));
    for shard in shards {
        hash.update(format!("\n{:?} {}", shard.kind, shard.path.display()));
    }
    let digest = hex(&hash.finalize()[..8]);
    let folder = shards.first().and_then(|shard| shard.path.parent()?.file_name());
    let folder = folder.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    format!("{folder}-{digest}")
}

/// Shards whose index is wanted.
struct Wanted<'a> {
    shards: &'a [ShardFile],
    stamps: Vec<Stamp>,
    rule: &'a TextRule,
    opening: &'a Opening,
    name: String,
}

impl Wanted<'_> {
    fn path(&self, ending: &str) -> PathBuf {
        self.opening.indexes.join(format!("{}.{ending}", self.name))
    }

    /// Opens the index if it is there and no shard has changed.
    fn kept(&self) -> Option<IndexFile> {
        let index = IndexFile::open(&self.path(ENDING))?;
        let header = index.header();
        let same = header.rule == *self.rule
            && header.shards.len() == self.shards.len()
            && (header.shards.iter().enumerate()).all(|(at, shard)| self.is(at, shard));
        same.then_some(index)
    }

    /// Returns `true` if a shard of an index is the one of a number, unchanged.
    fn is(&self, at: usize, shard: &Shard) -> bool {
        shard.kind == self.shards[at].kind
            && shard.stamp == self.stamps[at]
            && shard.path == self.shards[at].path.to_string_lossy()
    }

    /// Waits for other processes that build this index.
    fn lock(&self) -> Result<Option<File>, DataError> {
        let folder = &self.opening.indexes;
        create_dir_all(folder).map_err(|error| FileError::new(folder, error))?;
        let path = self.path("lock");
        let file = File::create(&path).map_err(|error| FileError::new(&path, error))?;
        // A file system without locks: both build, and both give the same file.
        if file.try_lock().is_err() {
            self.opening.reporter.note("another process indexes these shards: waiting for it");
            let _ = file.lock();
        }
        Ok(Some(file))
    }

    fn build(&self) -> Result<IndexFile, DataError> {
        let parts = self.path("parts");
        create_dir_all(&parts).map_err(|error| FileError::new(&parts, error))?;
        sweep_temporaries(&parts);
        let known = self.known();
        let missing: Vec<usize> =
            (0..self.shards.len()).filter(|at| !known.contains_key(at)).collect();
        let task = self.opening.reporter.bytes_task(&format!("indexing {}", self.name));
        task.start(0, missing.iter().map(|&at| self.stamps[at].bytes).sum());
        let scan = |&at: &usize| self.part(at, &part(&parts, at), &*task);
        missing.par_iter().try_for_each(scan)?;
        task.finish();
        let piece = |at: usize| match known.get(&at) {
            Some(Piece { index, shard }) => Ok(Piece { index: index.clone(), shard: *shard }),
            None => {
                let path = part(&parts, at);
                let index = IndexFile::open(&path).ok_or_else(|| gone(&path))?;
                Ok(Piece { index: Arc::new(index), shard: 0 })
            }
        };
        let mut header = Header { rule: self.rule.clone(), shards: vec![] };
        for at in 0..self.shards.len() {
            let Piece { index, shard } = piece(at)?;
            header.shards.push(index.header().shards[shard].clone());
        }
        let path = self.path(ENDING);
        write_joined(&path, &header, &piece)?;
        // They are not needed any more; if they stay, they are read again or replaced.
        let _ = remove_dir_all(&parts);
        IndexFile::open(&path).ok_or_else(|| gone(&path))
    }

    /// Finds shards that an index in the folder has.
    fn known(&self) -> HashMap<usize, Piece> {
        let wanted: HashMap<_, usize> = self
            .shards
            .iter()
            .enumerate()
            .map(|(at, one)| (one.path.to_string_lossy(), at))
            .collect();
        let mut found = HashMap::new();
        for entry in std::fs::read_dir(&self.opening.indexes).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.extension().is_none_or(|ending| ending != ENDING) {
                continue;
            }
            let Some(index) = IndexFile::open(&path).filter(|one| one.header().rule == *self.rule)
            else {
                continue;
            };
            let index = Arc::new(index);
            for (shard, one) in index.header().shards.iter().enumerate() {
                if let Some(&at) = wanted.get(one.path.as_str())
                    && self.is(at, one)
                {
                    found.entry(at).or_insert_with(|| Piece { index: index.clone(), shard });
                }
            }
        }
        found
    }

    /// Scans a shard into an index of its own, unless that is there from an earlier call.
    fn part(&self, at: usize, path: &Path, progress: &dyn Progress) -> Result<(), DataError> {
        let (shard, stamp) = (&self.shards[at], self.stamps[at]);
        let whole = |index: &IndexFile| {
            let header = index.header();
            header.rule == *self.rule && header.shards.iter().any(|shard| self.is(at, shard))
        };
        if IndexFile::open(path).is_some_and(|index| whole(&index)) {
            progress.advance(stamp.bytes);
            return Ok(());
        }
        write_shard(path, self.rule, |writer| {
            let mut found = Found::new(writer, progress);
            let scanned = container(shard.kind).scan(&shard.path, self.rule, &mut found);
            let (sum, stamp) = match scanned {
                Ok(sum) => (sum, stamp),
                // The disk or the network failed: what was found is used, and the next start looks
                // again, for no stamp is this one.
                Err(DataError::Read { source, .. }) => {
                    let hint = "check that it may be read";
                    found.faults.add(Fault::DamagedFile, "", source, hint);
                    ([0; 32], Stamp::default())
                }
                Err(error) => return Err(error),
            };
            found.compare(&shard.path);
            Ok(shard_of(shard, stamp, hex(&sum), found.faults))
        })
    }
}

fn part(parts: &Path, at: usize) -> PathBuf {
    parts.join(format!("{at}.{ENDING}"))
}

fn shard_of(shard: &ShardFile, stamp: Stamp, sha256: String, faults: Faults) -> Shard {
    Shard {
        path: shard.path.to_string_lossy().into_owned(),
        kind: shard.kind,
        stamp,
        sha256,
        samples: 0,
        bare: 0,
        captions: 0,
        texts: 0,
        faults,
    }
}

fn gone(path: &Path) -> DataError {
    let what = format!("the index {} is gone or damaged", path.display());
    DataError::new(what, "run the command again: it is built again")
}
