//! The results of a run, joined from the files of its cells.
//!
//! | module | purpose |
//! |---|---|
//! | [`collect`] | everything together |
//! | `stages` | losses and times of training |
//! | `pictures`, `flips` | samples with pictures |
//! | `alerts` | conditions of trainings that somebody should look at |
//! | `notes`, `absent` | what a reader must know, and why a score is missing |
//! | `labels`, `date` | names of cells, the date |

pub(crate) mod absent;
mod alerts;
pub mod collect;
mod date;
pub(crate) mod flips;
pub(crate) mod labels;
mod notes;
mod pictures;
mod stages;
