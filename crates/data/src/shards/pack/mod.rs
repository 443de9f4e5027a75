//! Writing of shards: webdataset's tar files, from any data set.
//!
//! A shard is `00000.tar` with the members `000000012.jpg`, `000000012.json` and, of a sample with
//! one caption, `000000012.txt`. Beside it lies `00000_stats.json`, as img2dataset writes it. Both
//! appear whole, so a call after a kill goes on with the next shard. The same samples give the same
//! bytes.

mod member;
mod sample;
mod stats;

pub use sample::PackedSample;
pub use stats::ShardStats;

use crate::DataError;
use member::Members;
use serde_json::Value;
use std::fs::create_dir_all;
use std::iter::Peekable;
use std::path::{Path, PathBuf};
use toolkit_system::files::{FileError, sweep_temporaries, write_atomic, write_bytes};
use toolkit_system::problem::Problem;

/// File that says which data the shards of a folder have.
const ABOUT: &str = "pack.json";

/// Size at which a shard ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShardSize {
    /// A number of samples, those that were skipped included.
    Samples(u64),
    /// A number of bytes. The sample that reaches it is the last one.
    Bytes(u64),
}

/// A writer of shards into a folder.
#[derive(Debug)]
pub struct ShardWriter {
    folder: PathBuf,
    size: ShardSize,
    shards: Vec<ShardStats>,
}

impl ShardWriter {
    /// Opens a folder and finds the shards that an earlier call finished. `about` says which data
    /// they have and what else determines them.
    ///
    /// # Errors
    /// If the folder has anything else, or shards of other data.
    pub fn open(folder: &Path, size: ShardSize, about: &Value) -> Result<Self, DataError> {
        create_dir_all(folder).map_err(|error| FileError::new(folder, error))?;
        let place = folder.join(ABOUT);
        let bytes = serde_json::to_vec_pretty(about).map_err(Problem::defect)?;
        match toolkit_system::input::read(&place) {
            Ok(there) if serde_json::from_slice::<Value>(&there).ok().as_ref() == Some(about) => {}
            Ok(_) => return Err(taken(folder, "shards of other data, or with other settings")),
            Err(_) if has_others(folder) => return Err(taken(folder, "other files")),
            Err(_) => write_bytes(&place, &bytes)?,
        }
        sweep_temporaries(folder);
        let shards = (0..).map_while(|number| ShardStats::read(folder, number)).collect();
        Ok(Self { folder: folder.to_owned(), size, shards })
    }

    /// Returns the number of samples that finished shards have taken. Writing goes on with the next.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.shards.iter().map(|shard| shard.count).sum()
    }

    /// Writes samples until there are no more. `None` is a sample that is skipped; it is counted.
    /// Returns the statistics of all shards of the folder.
    ///
    /// # Errors
    /// Those of `samples`, or if a file cannot be written. Shards before are whole.
    pub fn write<E: From<FileError>>(
        mut self,
        samples: impl Iterator<Item = Result<Option<PackedSample>, E>>,
    ) -> Result<Vec<ShardStats>, E> {
        let mut samples = samples.peekable();
        while samples.peek().is_some() {
            let stats = self.shard(&mut samples)?;
            stats.write(&self.folder)?;
            self.shards.push(stats);
        }
        Ok(self.shards)
    }

    /// Writes one shard.
    fn shard<E: From<FileError>>(
        &self,
        samples: &mut Peekable<impl Iterator<Item = Result<Option<PackedSample>, E>>>,
    ) -> Result<ShardStats, E> {
        let (number, first) = (self.shards.len() as u64, self.taken());
        let path = self.folder.join(ShardStats::file(number));
        let mut stats = ShardStats { number, ..ShardStats::default() };
        stats.bytes = write_atomic(&path, |file| {
            let fail = |error| FileError::new(&path, error);
            let mut members = Members::new(file);
            let full = |stats: &ShardStats, bytes: u64| match self.size {
                ShardSize::Samples(most) => stats.count >= most.max(1),
                ShardSize::Bytes(most) => bytes >= most,
            };
            while stats.count == 0 || !full(&stats, members.bytes()) {
                let Some(sample) = samples.next() else { break };
                if let Some(sample) = sample? {
                    sample.write(first + stats.count, &mut members).map_err(fail)?;
                    stats.successes += 1;
                    stats.captions += sample.item.captions.len() as u64;
                    for (name, count) in &sample.counts {
                        *stats.counts.entry(name.clone()).or_default() += count;
                    }
                }
                stats.count += 1;
            }
            members.finish().map_err(|error| E::from(fail(error)))
        })?;
        Ok(stats)
    }
}

/// Returns `true` if a folder has anything but temporaries.
fn has_others(folder: &Path) -> bool {
    let hidden = |name: &std::ffi::OsStr| name.as_encoded_bytes().starts_with(b".");
    let mut entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.any(|entry| !hidden(&entry.file_name()))
}

fn taken(folder: &Path, what: &str) -> DataError {
    let problem = Problem::new(format_args!("the folder has {what}")).at(folder.display());
    problem.hint("give a folder that is not there yet").into()
}
