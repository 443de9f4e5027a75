//! The experiment file: its keys, their ranges, and the cells that its axes make.

pub(crate) mod pretrain_spec;
pub(crate) mod ranges;
pub mod spec;
pub mod sweep;
