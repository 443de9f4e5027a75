//! The kept index of shards: one file with the place and the texts of every sample.
//!
//! | part | content |
//! |---|---|
//! | magic | 8 bytes, with the version |
//! | texts | an [`Entry`] as JSON for each sample, shard after shard |
//! | records | 32 bytes for each sample: place of the picture, place and sum of the texts |
//! | header | [`Header`] as JSON: the shards with stamps, digests, counts and faults |
//! | footer | place, length and SHA-256 of the header, and the magic again |
//!
//! A file is written front to back in bounded memory and gets its name when it is whole. It is read
//! by positioned reads, so a start reads the header only, and memory does not grow with what was
//! read. The index of a single shard has the same form: the index of many is made of them.

mod file;
mod form;
mod write;

pub(crate) use file::IndexFile;
pub(crate) use form::{Entry, Header, Shard};
pub(crate) use write::{IndexWriter, Piece, write_joined, write_shard};
