//! Sources of training samples: the texts of a step, and the features of its pictures.
//!
//! | file | purpose |
//! |---|---|
//! | `cached.rs` | [`Cached`]: features that were computed before the training |
//! | `live.rs` | [`Live`]: pictures that are decoded, augmented and encoded in the step |
//! | `text.rs` | [`tokenized`]: captions of a data set as token ids |
//! | `damage.rs` | samples that could not be used, in `data.jsonl` |
//! | `loader.rs`, `maker.rs` | threads that work ahead, and the work of one of them |
//!
//! The samples of a step are a pure function of seed and step, whatever was asked for before. So a
//! training that was killed goes on with the same samples. Without augmentation both sources give
//! the same bits.

mod cached;
mod damage;
mod live;
mod loader;
mod maker;
mod text;

pub use cached::Cached;
pub use damage::{DATA_LOG, DamageLine, DamageLog, MAX_DAMAGED};
pub use live::{Live, LiveConfig};
pub use text::{Sample, Texts, corpus, encoded, tokenized};

pub(crate) use loader::Loader;
pub(crate) use text::counts;

use crate::TrainError;
use burn::tensor::{Device, Tensor};
use std::time::Duration;

/// A source of training samples.
pub trait Source {
    /// Returns the number of samples of a pass.
    fn len(&self) -> usize;

    /// Returns `true` if there is no sample.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the texts of row `row` of the data.
    ///
    /// # Errors
    /// If a text cannot be encoded.
    fn text(&self, row: usize) -> Result<Sample, TrainError>;

    /// Returns the samples of a step, in the order in which they are drawn.
    ///
    /// # Errors
    /// If a text cannot be encoded, or more samples are damaged than is allowed.
    fn samples(&self, step: u64) -> Result<Vec<Sample>, TrainError>;

    /// Returns the features of the samples at `places` of [`Source::samples`] of the same step,
    /// `[places, tokens, width]`.
    ///
    /// # Errors
    /// If features cannot be read or computed.
    fn features(
        &self,
        step: u64,
        places: &[usize],
        device: &Device,
    ) -> Result<Tensor<3>, TrainError>;

    /// Begins to read the features at `places` of the present step.
    fn read_ahead(&self, _step: u64, _places: &[usize]) {}

    /// Begins to prepare a later step. `first` returns the places of its samples that are wanted
    /// first.
    fn prepare(&self, _step: u64, _first: &dyn Fn(Vec<Sample>) -> Vec<usize>) {}

    /// Returns `true` if the frozen encoder runs in the step.
    fn encodes(&self) -> bool {
        false
    }

    /// Returns the time that calls waited for data since this was last asked.
    fn waited(&self) -> Duration {
        Duration::ZERO
    }
}
