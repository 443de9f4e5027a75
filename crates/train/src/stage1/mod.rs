//! Stage 1, representation learning (BLIP-2, section 3.1; LAVIS `blip2_qformer.py`).
//!
//! A bridge with a text tower, such as the Q-Former, learns from images and their captions to
//! extract the visual features that text describes. The image encoder is frozen: its features are
//! read from a cache.
//!
//! | In the paper | File |
//! |---|---|
//! | **the losses of one batch** | [`losses`] in this file |
//! | a batch: images, one caption each, positives | `batch.rs` |
//! | image-text contrastive learning (ITC) | `itc.rs` |
//! | image-text matching (ITM), hard negatives | `itm.rs` |
//! | image-grounded text generation (ITG) | `itg.rs` |
//! | weights of the losses | `weights.rs` |
//! | one training step: losses, gradients, the line of the log | `step.rs` |
//! | not in the paper: the same gradients with less memory and time | `low_memory/` |
//!
//! Seven files hold everything between the training loop and the three losses: `fit/mod.rs`, this
//! one, `step.rs`, `batch.rs`, `itc.rs`, `itm.rs` and `itg.rs`.
//!
//! # Adding a loss
//!
//! In this crate: a file like `itg.rs` and a line in [`builtin`]. Outside: a type with
//! [`Stage1Loss`], registered by `Registry::loss::<T>("name")`. An experiment trains it by a
//! weight, `[stage1.losses] name = 1.0`.
//!
//! The low-memory step knows ITC, ITM and ITG only. With any other loss the step is that of the
//! definition, in one graph. It takes more memory, and `stage1.accumulate` must be 1.

mod batch;
pub mod itc;
pub mod itg;
pub mod itm;
pub mod low_memory;
mod step;
mod weights;

pub use batch::Batch;
pub use itc::GatherGrad;
pub use weights::{Corpus, LossWeights, NamedLoss, WeightedLoss};

use crate::TrainError;
use crate::source::Source;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use std::any::Any;
use toolkit_core::{AnyBridge, ImagePass, TextBatch, TextSpecialTokens, TextTower, params};
use toolkit_system::problem::Problem;

/// Losses of the paper. Each has weight 1 where an experiment does not name it; all others have 0.
pub const PAPER: [&str; 3] = [itc::NAME, itm::NAME, itg::NAME];

/// Returns the losses of the toolkit, in the order of the paper.
#[must_use]
pub fn builtin() -> Vec<NamedLoss> {
    vec![
        NamedLoss::new(itc::NAME, itc::Itc),
        NamedLoss::new(itm::NAME, itm::Itm),
        NamedLoss::new(itg::NAME, itg::Itg),
    ]
}

/// Computes the losses of one batch: BLIP-2, section 3.1.
///
/// `features` are `[batch, tokens, vision width]` of the frozen image encoder. `low_memory`
/// computes the same gradients piece by piece; a test compares the two.
pub fn losses(
    tower: &dyn TextTower,
    features: Tensor<3>,
    batch: &Batch,
    losses: &[WeightedLoss],
    settings: Stage1Settings,
) -> Vec<LossValue> {
    let device = features.device();
    // The learned queries read the image features by cross-attention. All losses share this pass:
    // `queries` are contrasted, `cross` is matched, `cache` is captioned.
    let images = tower.image_pass(features);
    // The captions, `[CLS]` to `[SEP]`.
    let rows: Vec<usize> = (0..batch.size()).collect();
    let text = batch.text(&rows, settings, &device);
    // The similarity of each image with each text, in the space of ITC.
    let trained = losses.iter().any(|one| one.loss.trains_similarity());
    let embeds = trained.then(|| itc::Embeds::of(tower, &images, &text));
    let similarity = embeds.as_ref().map(itc::Embeds::logits);
    // Another image for each text and another text for each image, those that ITC confuses most.
    let host = similarity.clone().map(|similarity| params::floats(similarity.inner()));
    let negatives = itm::negatives(batch, host.as_deref());
    // ITC contrasts similarities, ITM classifies pairs and negatives, ITG writes the captions.
    let pass = Stage1Pass { tower, images, text, embeds, similarity, negatives, batch, settings };
    losses.iter().map(|one| one.loss.compute(&pass)).collect()
}

/// Passes over one batch that its losses share.
pub struct Stage1Pass<'a> {
    /// The text side of the bridge.
    pub tower: &'a dyn TextTower,
    /// The query pass.
    pub images: ImagePass,
    /// The captions.
    pub text: TextBatch,
    /// Hard negatives of ITM.
    pub negatives: itm::Negatives,
    /// Images and captions, and which of them have the same content.
    pub batch: &'a Batch,
    /// Special ids and label smoothing.
    pub settings: Stage1Settings,
    embeds: Option<itc::Embeds>,
    similarity: Option<Tensor<2>>,
}

impl Stage1Pass<'_> {
    /// Returns the similarity of each image with each text over the temperature, `[n, n]`.
    #[must_use]
    pub fn similarity(&self) -> Tensor<2> {
        self.similarity.clone().unwrap_or_else(|| self.embeds().logits())
    }

    /// Returns the embeddings that the similarities are of.
    #[must_use]
    pub fn embeds(&self) -> itc::Embeds {
        let compute = || itc::Embeds::of(self.tower, &self.images, &self.text);
        self.embeds.clone().unwrap_or_else(compute)
    }
}

/// A loss of stage 1.
pub trait Stage1Loss: Any + Send + Sync {
    /// Returns the title of its panel in the report.
    fn title(&self) -> &'static str;

    /// Returns the loss of a model that ignores its input, drawn with the loss in the report.
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

/// Settings of all losses.
#[derive(Clone, Copy, Debug)]
pub struct Stage1Settings {
    /// Special ids of the text tower's tokenizer.
    pub special_tokens: TextSpecialTokens,
    /// Label smoothing of ITC and ITG (LAVIS: 0.1).
    pub smoothing: f64,
    /// Gradient of ITC through the candidates.
    pub gather_grad: GatherGrad,
}

/// The objective of stage 1.
pub struct Stage1 {
    /// Samples of each step. Captions are token ids, `[CLS]` to `[SEP]`.
    pub source: Box<dyn Source>,
    /// Losses and their weights.
    pub losses: Vec<WeightedLoss>,
    /// Settings of the losses.
    pub settings: Stage1Settings,
    /// Micro-batches of a step. The result equals that of one batch, contrast included.
    pub accumulate: usize,
    /// Seed of the random numbers.
    pub seed: u64,
    /// Autodiff device.
    pub device: Device,
}

/// Losses of a step for the log, in the order of [`Stage1::losses`], and gradients of their sum.
type Found = (Vec<(f64, Vec<Accuracy>)>, GradientsParams);

/// Returns the text side of a bridge.
///
/// # Errors
/// If it has none.
fn tower(bridge: &AnyBridge) -> Result<&dyn TextTower, TrainError> {
    let none = || {
        Problem::new("this bridge has no text tower, so it has no stage 1")
            .hint("use a `qformer` bridge or set `stage1.enabled = false`")
            .into()
    };
    bridge.text_tower().ok_or_else(none)
}
