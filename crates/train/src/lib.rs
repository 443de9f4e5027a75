//! Training: one loop, the objectives of the stages, optimiser, schedule, checkpoints.

pub mod checkpoint;
mod error;
mod feature_file;
mod feature_header;
pub mod features;
pub mod fit;
pub mod log;
pub mod losses;
mod mapped;
pub mod optim;
pub mod order;
pub mod pretrain;
mod recipe;
pub mod schedule;
pub mod stage1;
pub mod stage2;
mod text;

pub use error::TrainError;
