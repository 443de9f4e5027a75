//! The plan of a run: its parts, its data, its cells, and what they cost.

pub(crate) mod assumed;
pub mod cells;
pub mod fingerprint;
pub mod ids;
pub mod memory;
pub mod parts;
pub(crate) mod preprocess;
