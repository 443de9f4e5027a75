//! A run: its folder, its jobs, and the order in which it is carried out.
//!
//! | module | purpose |
//! |---|---|
//! | [`steps`] | the run as numbered steps, from the file to the report |
//! | [`planned`] | a planned run: file, plan, folder |
//! | `jobs` | the jobs of a run and what each waits for |
//! | [`workers`] | a graph of jobs on a fixed number of workers |
//! | [`folder`] | names of files and folders |
//! | `lock` | one process at a time in a folder |
//! | [`done`], [`damage`], [`sealed`] | lists of files with hashes, and files that changed since |
//! | [`manifest`], [`provenance`] | cards, data, builds and machine of a run |
//! | `start` | checkpoints that cells start from |
//! | `cost` | time and memory that a run took |
//! | [`trained`] | the models that a run trained |

pub(crate) mod cost;
pub mod damage;
pub mod done;
pub mod folder;
mod jobs;
pub(crate) mod lock;
pub mod manifest;
pub mod planned;
pub mod provenance;
pub mod sealed;
mod start;
pub mod steps;
pub mod trained;
pub mod workers;

pub use planned::{Run, RunOptions};
pub use toolkit_train::checkpoint::CheckpointChoice;
pub use trained::{TrainedCell, TrainedModel, TrainedRun, is_run};
