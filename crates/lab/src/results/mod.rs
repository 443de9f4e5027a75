//! The results of a run, collected for its report.

pub(crate) mod absent;
pub mod collect;
pub(crate) mod flips;
