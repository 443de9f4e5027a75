//! A step of stage 1 with less memory and about half the arithmetic: the gradients of
//! [`super::losses`], computed piece by piece. CPU (flex) only.
//!
//! 1. The keys and values of image features are projected once for each image. The query pass and
//!    all matching pairs share them.
//! 2. Where one pass ends and others begin, the graph is divided (`boundary.rs`), so that each pass
//!    is propagated back, and its activations freed, as soon as its gradient is known.
//! 3. Captioning and matching go in pieces of texts of one length (`pieces.rs`). Gradients of
//!    parameters are added up in place (`gradients.rs`).
//! 4. A step may be accumulated over micro-batches. Each is contrasted with the whole batch, whose
//!    embeddings come from a pass without a graph.

mod boundary;
mod gradients;
mod matching;
mod micro_batch;
mod pieces;

pub(super) use gradients::can_train;
pub use pieces::PIECE_TOKENS;

use super::itc::{self, Itc};
use super::itg::Itg;
use super::itm::{self, Itm, Negatives};
use super::{Accuracy, Batch, Found, Stage1, Stage1Loss, WeightedLoss, tower};
use crate::TrainError;
use burn::module::Module;
use burn::tensor::Tensor;
use gradients::GradientSum;
use std::any::Any;
use toolkit_core::{AnyBridge, Stream, noise};

/// Weights of the losses that this step knows; 0 leaves one out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Weights {
    itc: f64,
    itm: f64,
    itg: f64,
}

impl Weights {
    /// Returns the weights of ITC, ITM and ITG, or nothing if there is another loss.
    pub(super) fn of(losses: &[WeightedLoss]) -> Option<Self> {
        let mut weights = Self::default();
        for one in losses {
            let weight = weights.of_loss(&*one.loss)?;
            if *weight != 0.0 {
                return None;
            }
            *weight = one.weight;
        }
        Some(weights)
    }

    fn of_loss(&mut self, loss: &dyn Stage1Loss) -> Option<&mut f64> {
        let loss: &dyn Any = loss;
        match () {
            () if loss.is::<Itc>() => Some(&mut self.itc),
            () if loss.is::<Itm>() => Some(&mut self.itm),
            () if loss.is::<Itg>() => Some(&mut self.itg),
            () => None,
        }
    }
}

/// Values of a step for the log.
#[derive(Clone, Copy, Debug, Default)]
struct StepStats {
    itc: f64,
    itm: f64,
    itg: f64,
    itc_hits: usize,
    right: usize,
    right_negatives: usize,
}

impl StepStats {
    /// Returns the value and the accuracies of a loss.
    fn of_loss(&self, loss: &dyn Stage1Loss, batch: usize) -> (f64, Vec<Accuracy>) {
        let loss: &dyn Any = loss;
        match () {
            () if loss.is::<Itc>() => (self.itc, vec![itc::accuracy(self.itc_hits, batch)]),
            () if loss.is::<Itm>() => {
                (self.itm, itm::accuracies(self.right, self.right_negatives, batch))
            }
            () => (self.itg, Vec::new()),
        }
    }
}

/// Embeddings of each micro-batch, `[images, queries, embed]` and `[texts, embed]`, from a pass
/// without a graph.
type Embeddings = Vec<(Tensor<3>, Tensor<2>)>;

/// State of one step.
struct LowMemoryStep<'a> {
    stage1: &'a Stage1,
    model: &'a AnyBridge,
    batch: &'a Batch,
    weights: Weights,
    /// Empty if there is one micro-batch only.
    embeddings: Embeddings,
    /// Hard negatives, once they are drawn.
    negatives: Option<Negatives>,
    gradients: GradientSum,
    stats: StepStats,
}

/// Most micro-batches whose dropout has a stream of its own.
const MOST_MICRO_BATCHES: u64 = 1024;

/// Computes the losses of a step and their gradients.
///
/// # Errors
/// If features cannot be read, or the bridge has no text tower.
pub(super) fn step(
    stage1: &Stage1,
    weights: Weights,
    model: &AnyBridge,
    batch: &Batch,
) -> Result<Found, TrainError> {
    let rows: Vec<usize> = (0..batch.size()).collect();
    let micro_batches: Vec<&[usize]> =
        rows.chunks(rows.len().div_ceil(stage1.accumulate.max(1))).collect();
    let places =
        |rows: &[usize]| -> Vec<usize> { rows.iter().map(|&row| batch.places[row]).collect() };
    let mut state = LowMemoryStep {
        stage1,
        model,
        batch,
        weights,
        embeddings: Embeddings::new(),
        negatives: None,
        gradients: GradientSum::default(),
        stats: StepStats::default(),
    };
    if micro_batches.len() > 1 && weights.itc != 0.0 {
        state.embeddings = state.embed(&micro_batches)?;
    }
    for (m, rows) in micro_batches.iter().enumerate() {
        let features = stage1.source.features(batch.step, &places(rows), &stage1.device)?;
        if let Some(next) = micro_batches.get(m + 1) {
            stage1.source.read_ahead(batch.step, &places(next));
        }
        let dropout = state.dropout(m);
        let run = || state.micro_batch(m, rows, features);
        if micro_batches.len() == 1 { run()? } else { noise::off(|| noise::scope(dropout, run))? }
    }
    let stats = state.stats;
    let values = stage1.losses.iter().map(|one| stats.of_loss(&*one.loss, batch.size())).collect();
    Ok((values, state.gradients.finish(model)))
}

impl LowMemoryStep<'_> {
    /// Returns the dropout of a micro-batch: the same in the pass that embeds it and in its own.
    fn dropout(&self, micro_batch: usize) -> Stream {
        let index = self.batch.step * MOST_MICRO_BATCHES + micro_batch as u64;
        Stream::new(self.batch.seed, "stage1/dropout", index)
    }

    /// Embeds all micro-batches without a graph, so that each can be contrasted with the whole.
    fn embed(&self, micro_batches: &[&[usize]]) -> Result<Embeddings, TrainError> {
        let (plain, device) = (self.model.valid(), self.stage1.device.clone().without_autodiff());
        let tower = tower(&plain)?;
        let mut all = Embeddings::new();
        for (m, rows) in micro_batches.iter().enumerate() {
            let places: Vec<usize> = rows.iter().map(|&row| self.batch.places[row]).collect();
            let features = self.stage1.source.features(self.batch.step, &places, &device)?;
            let embed = || {
                let image = tower.image_embeds(tower.image_pass(features).queries);
                let text = self.batch.text(rows, self.stage1.settings, &device);
                (image, tower.text_embeds(text.ids, text.mask))
            };
            all.push(noise::off(|| noise::scope(self.dropout(m), embed)));
        }
        Ok(all)
    }
}
