//! The `shards` data set: pictures and texts in tar files, as webdataset and img2dataset write them.
//!
//! | module | purpose |
//! |---|---|
//! | `find`, `braces` | the shards that a name stands for |
//! | `container`, `kinds` | the contract of a kind of shard, and all kinds |
//! | `tar`, `folder`, `parquet`, `table` | tar files, folders of files, parquet files, tables |
//! | `group`, `texts` | members of one sample, and its captions |
//! | `found`, `faults`, `place` | samples and faults that a scan finds |
//! | `index`, `kept` | the index that is kept on disk, and its building on all cores |
//! | `pool` | open shards |
//! | `dataset`, `config` | [`Shards`], and its form in a card |
//! | `pack` | writing of shards |
//!
//! Samples are members with one key, one after the other. The key is the path up to the first dot of
//! its last part. Everything that is damaged or left out is counted, with shard and key.

mod braces;
mod config;
mod container;
mod dataset;
mod faults;
mod find;
mod folder;
mod found;
mod group;
mod index;
mod kept;
mod kinds;
mod pack;
mod parquet;
mod place;
mod pool;
mod table;
mod tar;
mod texts;

pub use config::{ShardSplit, ShardsConfig};
pub use dataset::{ShardOptions, Shards};
pub use pack::{PackedSample, ShardSize, ShardStats, ShardWriter};
pub use place::ShardForm;
pub(crate) use place::Stamp;
