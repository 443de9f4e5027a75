//! The `mixture` data set: several sources, each with a share of the training samples.
//!
//! | module | purpose |
//! |---|---|
//! | `config` | keys of a card, or of `[data.train]` in an experiment |
//! | `source` | an opened source: its rows, its prompt, its name |
//! | `limit` | the first rows of a source, by a fixed rule |
//! | `weights` | shares of the samples |
//! | `dataset` | [`Mixture`] |
//!
//! Sources stand one after the other. Ids are `SOURCE/id`, so those of different sources never
//! collide. The order of training takes the sources in turn (`toolkit_train::order`).

mod config;
mod dataset;
mod limit;
mod source;
mod weights;

pub use config::{MixtureConfig, MixtureSource, MixtureSplit, NaturalShare};
pub use dataset::Mixture;
