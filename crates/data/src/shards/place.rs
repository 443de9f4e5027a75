//! Shards and places in them.

use serde::{Deserialize, Serialize};
use std::io::Result;
use std::path::{Path, PathBuf};

/// Files that a name of shards stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ShardForm {
    /// Tar files, and folders of pictures.
    #[default]
    Tar,
    /// Parquet files with the bytes of pictures.
    Parquet,
    /// Tables of captions beside their pictures.
    Table,
}

impl ShardForm {
    /// Returns the kind of a file, by its ending; `None` if it is of another form.
    pub(super) fn kind_of(self, path: &Path) -> Option<ShardKind> {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        let is_one = |one: &&str| ending.eq_ignore_ascii_case(one);
        self.endings().iter().any(is_one).then_some(self.kind())
    }

    /// Returns the kind of its files.
    pub(super) fn kind(self) -> ShardKind {
        match self {
            Self::Tar => ShardKind::Tar,
            Self::Parquet => ShardKind::Parquet,
            Self::Table => ShardKind::Table,
        }
    }

    /// Returns the usual ending of its files.
    pub(super) fn ending(self) -> &'static str {
        self.endings()[0]
    }

    /// Returns the endings of its files.
    fn endings(self) -> &'static [&'static str] {
        match self {
            Self::Tar => &["tar"],
            Self::Parquet => &["parquet"],
            Self::Table => &["tsv", "csv", "jsonl", "ndjson", "json"],
        }
    }
}

/// A kind of shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ShardKind {
    /// A tar file, as webdataset and img2dataset write it.
    Tar,
    /// A folder of pictures with their texts beside them, as img2dataset writes it.
    Folder,
    /// A parquet file with the bytes of pictures, as Hugging Face stores data sets.
    Parquet,
    /// A table of captions beside its pictures.
    Table,
}

/// A shard that a name stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ShardFile {
    /// Absolute path.
    pub path: PathBuf,
    /// Path from the folder that all shards of the data set have in common.
    pub name: String,
    /// Kind.
    pub kind: ShardKind,
}

/// A digest, as bytes.
pub(crate) type Sum = [u8; 32];

/// Size and time by which a shard is known again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Stamp {
    /// Bytes; 0 for a folder.
    pub bytes: u64,
    /// Nanoseconds since 1970 of the last change.
    pub modified: u64,
}

impl Stamp {
    /// Reads the stamp of a file or folder.
    ///
    /// # Errors
    /// If it is not there.
    pub fn of(path: &Path) -> Result<Self> {
        let data = std::fs::metadata(path)?;
        let since =
            data.modified().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
        let modified = since.and_then(|since| u64::try_from(since.as_nanos()).ok());
        let bytes = if data.is_dir() { 0 } else { data.len() };
        Ok(Self { bytes, modified: modified.unwrap_or_default() })
    }
}

/// The place of a picture in its shard. A container gives both numbers their meaning; in files they
/// are bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// Beginning.
    pub offset: u64,
    /// Length.
    pub length: u32,
}
