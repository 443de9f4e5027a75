//! The plan of a run: its models, its data, its cells, and their cost.
//!
//! | module | purpose |
//! |---|---|
//! | [`run_plan`] | everything that a run does, and the work that cells share |
//! | [`pretrain_plan`] | a pre-training |
//! | [`model_plan`] | cards of a model resolved to shapes |
//! | [`splits`] | the data of an experiment |
//! | [`start_plan`] | weights that cells start from |
//! | `assumed` | data that are not on this machine |
//! | [`fingerprint`] | hashes of all that can change a result |
//! | `flops` | operations of a training step |
//! | `names` | names of stage-1 runs and cells |
//! | [`losses`] | losses of stage 1 that can be weighed, those of plug-ins too |
//! | [`estimate`] and [`memory`] | cost, counted from shapes |
//! | [`price`], [`devices`] | cost on a named device, from its data sheet |
//! | `check` | tokenizers and weights, checked before training |
//! | [`ids`] | texts against the tables that their ids are looked up in |
//! | [`training_features`] | cached or live features of the training pictures |
//! | `preprocess` | preprocessing of pictures |

pub(crate) mod assumed;
pub(crate) mod check;
pub mod devices;
pub mod estimate;
pub mod fingerprint;
pub(crate) mod flops;
pub mod ids;
pub mod losses;
pub mod memory;
pub mod model_plan;
mod names;
pub(crate) mod preprocess;
pub mod pretrain_plan;
pub mod price;
pub mod run_plan;
pub mod splits;
pub mod start_plan;
pub mod training_features;
