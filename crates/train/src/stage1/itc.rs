//! Image-text contrastive learning (ITC).
//!
//! Each image has several query outputs and each text one embedding. Their similarity is the
//! largest over the queries, divided by a learned temperature. Among all texts of the batch the
//! loss looks for the one of the image, and among all images for the one of the text. Queries and
//! text do not see each other (the uni-modal mask of BLIP-2, figure 2): the embeddings come from
//! passes of their own.

use super::{Accuracy, Corpus, LossValue, Stage1Loss, Stage1Pass};
use crate::losses::{cross_entropy_rows, soft_cross_entropy_rows};
use burn::tensor::{Tensor, TensorData};
use toolkit_core::{index, params, similarity};

/// Name in experiments and logs.
pub const NAME: &str = "itc";

/// Smallest divisor of similarities (BLIP-1's bound; LAVIS's BLIP-2 has none).
///
/// Steps are large at nano learning rates: a temperature at zero would end the run.
const SMALLEST_TEMPERATURE: f64 = 1e-3;

/// Image-text contrastive learning.
pub struct Itc;

impl Stage1Loss for Itc {
    fn title(&self) -> &'static str {
        "image–text contrast (ITC)"
    }

    /// Takes every text of the batch as equally likely.
    fn trivial(&self, corpus: &Corpus<'_>) -> Option<f64> {
        Some((corpus.batch as f64).ln())
    }

    fn trains_similarity(&self) -> bool {
        true
    }

    fn compute(&self, pass: &Stage1Pass<'_>) -> LossValue {
        let same_content = |a: usize, b: usize| pass.batch.same_content(a, b);
        let logits = pass.similarity();
        let found = hits(&params::floats(logits.clone().inner()), pass.batch.size(), same_content);
        LossValue {
            loss: loss(logits, pass.settings.smoothing, same_content),
            accuracies: vec![accuracy(found, pass.batch.size())],
        }
    }
}

/// Returns the similarities of all pairs divided by the temperature, `[images, texts]`.
///
/// `images` are `[images, queries, embed]`, `texts` are `[texts, embed]`, both l2-normalised.
#[must_use]
pub fn logits(images: Tensor<3>, texts: Tensor<2>, temperature: Tensor<1>) -> Tensor<2> {
    similarity(images, texts) / temperature.clamp_min(SMALLEST_TEMPERATURE).unsqueeze()
}

/// Returns the mean cross-entropy of both directions of `logits [n, n]`, image x text.
///
/// Pairs of the same content share the target evenly, smoothing apart (LAVIS does so where a batch
/// carries `image_id`).
#[must_use]
pub fn loss(
    logits: Tensor<2>,
    smoothing: f64,
    same_content: impl Fn(usize, usize) -> bool,
) -> Tensor<1> {
    let [n, _] = logits.dims();
    if (0..n).any(|a| (0..a).any(|b| same_content(a, b))) {
        let targets = shared_targets(n, smoothing, same_content);
        let targets = Tensor::<2>::from_data(TensorData::new(targets, [n, n]), &logits.device());
        let texts = soft_cross_entropy_rows(logits.clone(), targets.clone()).mean();
        return (texts + soft_cross_entropy_rows(logits.transpose(), targets).mean()) * 0.5;
    }
    let own = index(&(0..n).collect::<Vec<_>>(), &logits.device());
    let texts = cross_entropy_rows(logits.clone(), own.clone(), smoothing).mean();
    let images = cross_entropy_rows(logits.transpose(), own, smoothing).mean();
    (texts + images) * 0.5
}

/// Returns the target distribution of each row, `[n, n]`.
fn shared_targets(
    n: usize,
    smoothing: f64,
    same_content: impl Fn(usize, usize) -> bool,
) -> Vec<f32> {
    let row = |a: usize| -> Vec<f32> {
        let same: Vec<bool> = (0..n).map(|b| a == b || same_content(a, b)).collect();
        let share = (1.0 - smoothing) / same.iter().filter(|&&s| s).count() as f64;
        let target = |&s: &bool| (smoothing / n as f64 + if s { share } else { 0.0 }) as f32;
        same.iter().map(target).collect()
    };
    (0..n).flat_map(row).collect()
}

/// Counts the images whose own text is the most similar; texts of the same content do not compete.
#[must_use]
pub fn hits(logits: &[f32], n: usize, same_content: impl Fn(usize, usize) -> bool) -> usize {
    let beats_all = |i: usize| {
        (0..n).all(|j| i == j || same_content(i, j) || logits[i * n + j] < logits[i * n + i])
    };
    (0..n).filter(|&i| beats_all(i)).count()
}

/// Returns the share of images that find their text.
pub(super) fn accuracy(hits: usize, images: usize) -> Accuracy {
    Accuracy { of: "", value: hits as f64 / images as f64 }
}
