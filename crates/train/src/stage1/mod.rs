//! Stage 1, representation learning (BLIP-2, section 3.1; LAVIS `blip2_qformer.py`).
//!
//! A bridge with a text tower, such as the Q-Former, learns from images and their captions to bring
//! out what texts say. The image encoder is frozen: its features are read from a cache.
//!
//! | In the paper | File |
//! |---|---|
//! | a batch: images, one caption each, positives | `batch.rs` |
//! | **the losses of one batch**, and one training step | `step.rs` |
//! | image-text contrastive learning (ITC) | `itc.rs` |
//! | image-text matching (ITM), hard negatives | `itm.rs` |
//! | image-grounded text generation (ITG) | `itg.rs` |
//! | weights of the losses | `weights.rs` |
//! | not in the paper: the same gradients with less memory and time | `low_memory/` |
//!
//! Seven files hold everything between the training loop and the three losses: `fit/mod.rs`, this
//! one, `step.rs`, `batch.rs`, `itc.rs`, `itm.rs` and `itg.rs`.
//!
//! # Adding a loss
//!
//! In this crate: a file like `itg.rs` and a line in [`builtin`]. Outside: a type with
//! [`Stage1Loss`], which the registry is told by `Registry::loss::<T>("name")`. An experiment trains
//! it by a weight, `[stage1.losses] name = 1.0`. The low-memory step knows ITC, ITM and ITG only;
//! with any other loss the step is that of the definition, in one graph: it takes more memory, and
//! `stage1.accumulate` must be 1.

mod batch;
pub mod itc;
pub mod itg;
pub mod itm;
pub mod low_memory;
mod step;
mod weights;

pub use batch::Batch;
pub use step::{Stage1, Stage1Pass, losses};
pub use weights::{LossWeights, PAPER};

use burn::tensor::Tensor;
use std::any::Any;
use std::sync::Arc;
use toolkit_core::TextSpecialTokens;

/// Returns the losses of the toolkit, in the order of the paper.
#[must_use]
pub fn builtin() -> Vec<NamedLoss> {
    vec![
        NamedLoss::new(itc::NAME, itc::Itc),
        NamedLoss::new(itm::NAME, itm::Itm),
        NamedLoss::new(itg::NAME, itg::Itg),
    ]
}

/// A loss of stage 1.
pub trait Stage1Loss: Any + Send + Sync {
    /// Returns the title of its panel in the report.
    fn title(&self) -> &'static str;

    /// Returns the loss of a model that ignores its input, drawn beside the loss in the report.
    fn trivial(&self, _: &Corpus<'_>) -> Option<f64> {
        None
    }

    /// Returns `true` if the loss trains the embeddings that similarities are made of. Hard
    /// negatives are drawn from similarities that are trained, and evenly otherwise.
    fn trains_similarity(&self) -> bool {
        false
    }

    /// Computes the loss of one batch, a mean over samples or tokens.
    fn compute(&self, pass: &Stage1Pass<'_>) -> LossValue;
}

/// Value of a loss on one batch.
pub struct LossValue {
    /// Loss `[1]`, differentiable.
    pub loss: Tensor<1>,
    /// Shares of right decisions, for the log.
    pub accuracies: Vec<Accuracy>,
}

/// Share of right decisions. The log calls it `accuracy_NAME`, or `accuracy_NAME_OF`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Accuracy {
    /// Subset of the decisions; empty for all of them.
    pub of: &'static str,
    /// From 0 to 1.
    pub value: f64,
}

/// Facts about the training data that trivial baselines are computed from.
#[derive(Clone, Copy, Debug)]
pub struct Corpus<'a> {
    /// Token ids of each image's captions.
    pub captions: &'a [Vec<Vec<u32>>],
    /// Number of token ids that the text tower predicts.
    pub vocab: usize,
    /// Label smoothing.
    pub smoothing: f64,
    /// Images of a step.
    pub batch: usize,
}

/// A loss and its name in experiments and logs.
#[derive(Clone)]
pub struct NamedLoss {
    /// Name, such as `itc`.
    pub name: String,
    /// The loss.
    pub loss: Arc<dyn Stage1Loss>,
}

impl NamedLoss {
    /// Names a loss.
    pub fn new(name: &str, loss: impl Stage1Loss) -> Self {
        Self { name: name.to_owned(), loss: Arc::new(loss) }
    }
}

/// A loss that is trained; made by [`LossWeights::select`].
#[derive(Clone)]
pub struct WeightedLoss {
    /// Name, such as `itc`.
    pub name: String,
    /// Weight in the sum.
    pub weight: f64,
    /// Loss of a model that ignores its input.
    pub trivial: Option<f64>,
    /// The loss.
    pub loss: Arc<dyn Stage1Loss>,
}

/// Settings of all losses.
#[derive(Clone, Copy, Debug)]
pub struct Stage1Settings {
    /// Special ids of the text tower's tokenizer.
    pub special_tokens: TextSpecialTokens,
    /// Label smoothing of ITC and ITG (LAVIS: 0.1).
    pub smoothing: f64,
}
