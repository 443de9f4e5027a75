//! Readers of foreign files, each as a target that takes any bytes.
//!
//! | module | purpose |
//! |---|---|
//! | [`targets`] | one function a reader: give it bytes, it must answer |
//! | [`corpus`] | good and once-bad files of a target, from the repository |
//! | [`mutate`] | damage: flipped bits, cuts, copies, other numbers, pieces of other files |
//! | [`memory`] | the most memory that a call held |
//! | [`trial`] | one input against one target: no panic, no hang, bounded memory |
//!
//! Inputs that fail are kept as files of `tests/fuzz/corpus/TARGET`, so that they are tried for
//! ever.

pub mod corpus;
pub mod memory;
pub mod mutate;
pub mod targets;
pub mod trial;
