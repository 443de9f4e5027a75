//! Comparisons: of two runs, and of two evaluations.
//!
//! | module | purpose |
//! |---|---|
//! | [`diff`] | differences between two runs |
//! | [`inputs`], [`training`], [`samples`] | of their manifests, of their trainings, of their samples |
//! | [`values`] | differences between two JSON values |
//! | [`outcome`] | two evaluations, sample by sample |

pub mod diff;
mod files;
pub mod inputs;
pub mod outcome;
pub mod samples;
pub mod training;
pub mod values;
