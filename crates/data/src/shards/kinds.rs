//! The functions of all kinds of shards.

use super::container::Container;
use super::folder::FolderShards;
use super::parquet::ParquetShards;
use super::place::ShardKind;
use super::table::TableShards;
use super::tar::TarShards;

/// Returns the functions of a kind.
pub(crate) fn container(kind: ShardKind) -> &'static dyn Container {
    match kind {
        ShardKind::Tar => &TarShards,
        ShardKind::Folder => &FolderShards,
        ShardKind::Parquet => &ParquetShards,
        ShardKind::Table => &TableShards,
    }
}
