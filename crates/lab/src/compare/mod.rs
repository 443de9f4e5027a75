//! Comparisons: of two runs, and of two evaluations.

pub mod diff;
pub mod outcome;
