//! Shards: names, tar files, faults, and the kept index.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod faults;
mod kept;
mod make;
mod names;
mod pack;
mod parquet;
mod reference;
mod split;
mod table;
