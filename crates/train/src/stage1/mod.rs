//! Stage 1, representation learning: image-text contrast, matching and grounded generation (BLIP-2,
//! section 3.1; LAVIS `blip2_qformer.py`).
//!
//! The keys and values of image features are projected once per image and shared by the query pass
//! and all matching triplets, and captioning reuses the query pass's cache: the reference's
//! mathematics with about half its arithmetic. Each pass is propagated back as soon as all that is
//! known about it (`micro.rs`), and matching goes through its triplets piece by piece, texts of one
//! length together (`pieces.rs`).

mod cut;
mod micro;
mod pieces;
mod step;

pub use pieces::PIECE_TOKENS;

use crate::features::Features;
use crate::losses::{cross_entropy_rows, soft_cross_entropy_rows, token_loss_sum};
use crate::order::Order;
use burn::tensor::{Device, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use toolkit_core::{
    ImagePass, KeysValues, Pair, Stream, TextSpecialTokens, TextTower, index, params,
};

/// Weights of the three losses; 0 leaves one out, and its forward pass with it.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct LossWeights {
    /// Image-text contrastive.
    pub itc: f64,
    /// Image-text matching.
    pub itm: f64,
    /// Image-grounded text generation.
    pub itg: f64,
}

impl Default for LossWeights {
    fn default() -> Self {
        Self { itc: 1.0, itm: 1.0, itg: 1.0 }
    }
}

/// The objective. `captions[i]` are the tokenised captions of image i, with `[CLS]` and `[SEP]`.
pub struct Stage1 {
    /// Cached features of the training split.
    pub features: Arc<Features>,
    /// Token ids of each image's captions.
    pub captions: Arc<Vec<Vec<Vec<u32>>>>,
    /// Images with the same number show the same, and are positives of each other (LAVIS: equal
    /// `image_id`).
    pub depicts: Arc<Vec<usize>>,
    /// Which images make up a step.
    pub order: Order,
    /// Special ids.
    pub special_tokens: TextSpecialTokens,
    /// Loss weights.
    pub weights: LossWeights,
    /// Label smoothing of ITC and ITG (LAVIS: 0.1).
    pub smoothing: f64,
    /// Micro-batches a step is accumulated over. The result equals that of one batch, contrast
    /// included.
    pub accumulate: usize,
    /// What a captioner that reads and sees nothing reaches: [`unigram_loss`] of the captions.
    pub unigram: f64,
    /// Names the draws.
    pub seed: u64,
    /// Autodiff device.
    pub device: Device,
}

/// Loss of a matcher that knows only that one triplet in three matches.
pub const ITM_TRIVIAL: f64 = 0.636_514_168_294_813;

/// Draws for each text an image and for each image a text that does not belong to it, in proportion
/// to `softmax(similarity / temperature)` without its own and those that are `same_content`: the same
/// image twice in a batch, or the same caption of two images (LAVIS leaves out equal `image_id`s).
/// `sim [n, n]` is image x text, already divided. Where all are same_content, another one has to do; with
/// a single pair the pair itself comes back.
#[must_use]
pub fn hard_negatives(
    sim: &[f32],
    n: usize,
    same_content: impl Fn(usize, usize) -> bool,
    draw: &mut Stream,
) -> (Vec<usize>, Vec<usize>) {
    let mut pick = |row: &dyn Fn(usize) -> f32, own: usize| {
        let apart = (0..n).any(|j| j != own && !same_content(own, j));
        let allowed = |j: usize| j != own && !(apart && same_content(own, j));
        let largest = (0..n).filter(|&j| allowed(j)).map(row).fold(f32::NEG_INFINITY, f32::max);
        let weights: Vec<f32> =
            (0..n).map(|j| if allowed(j) { (row(j) - largest).exp() } else { 0.0 }).collect();
        if n == 1 { 0 } else { draw.weighted(&weights) }
    };
    let image_of_text = (0..n).map(|t| pick(&|i| sim[i * n + t], t)).collect();
    let text_of_image = (0..n).map(|i| pick(&|t| sim[i * n + t], i)).collect();
    (image_of_text, text_of_image)
}

/// Contrastive loss of `sim [n, n]` (image x text, divided by the temperature), mean of both
/// directions. Pairs that are `same_content` share the target evenly, smoothing apart (LAVIS does so where
/// a batch carries `image_id`).
#[must_use]
pub fn itc_loss(
    sim: Tensor<2>,
    smoothing: f64,
    same_content: impl Fn(usize, usize) -> bool,
) -> Tensor<1> {
    let [n, _] = sim.dims();
    if (0..n).any(|a| (0..a).any(|b| same_content(a, b))) {
        let row = |a: usize| -> Vec<f32> {
            let same: Vec<bool> = (0..n).map(|b| a == b || same_content(a, b)).collect();
            let share = (1.0 - smoothing) / same.iter().filter(|&&s| s).count() as f64;
            same.iter()
                .map(|&s| (smoothing / n as f64 + if s { share } else { 0.0 }) as f32)
                .collect()
        };
        let targets: Vec<f32> = (0..n).flat_map(row).collect();
        let targets = Tensor::<2>::from_data(TensorData::new(targets, [n, n]), &sim.device());
        let i2t = soft_cross_entropy_rows(sim.clone(), targets.clone()).mean();
        return (i2t + soft_cross_entropy_rows(sim.transpose(), targets).mean()) * 0.5;
    }
    let own = index(&(0..n).collect::<Vec<_>>(), &sim.device());
    let i2t = cross_entropy_rows(sim.clone(), own.clone(), smoothing).mean();
    let t2i = cross_entropy_rows(sim.transpose(), own, smoothing).mean();
    (i2t + t2i) * 0.5
}

/// Summed matching loss of triplets, pairs of `ids [texts, text]`: all (own, own), then (own,
/// negative image), then (negative text, own), and how many are right: all, and among the hard
/// negatives.
pub fn itm_loss_sum(
    tower: &dyn TextTower,
    cross: &[KeysValues],
    triplets: &[Pair],
    ids: Tensor<2, Int>,
    mask: Tensor<2>,
) -> (Tensor<1>, usize, usize) {
    let labels: Vec<usize> =
        (0..triplets.len()).map(|i| usize::from(i < triplets.len() / 3)).collect();
    matching(tower, cross, triplets, ids, mask, &labels)
}

/// Summed matching loss of pairs, `labels[i]` 1 if they belong together, and how many are right:
/// all, and among those that do not.
fn matching(
    tower: &dyn TextTower,
    cross: &[KeysValues],
    pairs: &[Pair],
    ids: Tensor<2, Int>,
    mask: Tensor<2>,
    labels: &[usize],
) -> (Tensor<1>, usize, usize) {
    let device = mask.device();
    let logits = tower.match_logits(cross, pairs, ids, mask);
    let values = params::floats(logits.clone());
    let right = |(l, &label): (&[f32], &usize)| ((l[1] > l[0]) == (label == 1)).then_some(label);
    let right: Vec<usize> = values.chunks(2).zip(labels).filter_map(right).collect();
    let negatives = right.iter().filter(|&&label| label == 0).count();
    let loss = cross_entropy_rows(logits, index(labels, &device), 0.0).sum();
    (loss, right.len(), negatives)
}

/// Summed captioning loss: the first id becomes `[DEC]`, padding is ignored. Divide by the number
/// of scored tokens, all but the first of each text.
#[must_use]
pub fn itg_loss_sum(
    tower: &dyn TextTower,
    pass: &ImagePass,
    ids: Tensor<2, Int>,
    mask: Tensor<2>,
    dec: u32,
    smoothing: f64,
) -> Tensor<1> {
    captioning(tower, &pass.cache, ids, mask, dec, smoothing)
}

/// [`itg_loss_sum`] on the query pass's cache.
fn captioning(
    tower: &dyn TextTower,
    cache: &[KeysValues],
    ids: Tensor<2, Int>,
    mask: Tensor<2>,
    dec: u32,
    smoothing: f64,
) -> Tensor<1> {
    let [batch, tokens] = ids.dims();
    let device = mask.device();
    let start = Tensor::<2, Int>::full([batch, 1], dec as i32, &device);
    let labels = ids.narrow(1, 1, tokens - 1);
    // The last token predicts nothing, so it need not be read.
    let input = Tensor::cat(vec![start, labels.clone()], 1).narrow(1, 0, tokens - 1);
    let logits = tower.caption_logits(cache, input, mask.clone().narrow(1, 0, tokens - 1));
    token_loss_sum(logits, labels, mask.narrow(1, 1, tokens - 1), smoothing)
}

/// The smallest loss that always predicting the same distribution can reach on the scored tokens
/// (all but the first of each caption): the entropy of their unigrams, smoothed over the `vocab`
/// classes as the labels are.
#[must_use]
pub fn unigram_loss(captions: &[Vec<Vec<u32>>], vocab: usize, smoothing: f64) -> f64 {
    let mut counts = std::collections::BTreeMap::<u32, f64>::new();
    for id in captions.iter().flatten().flat_map(|caption| caption.iter().skip(1)) {
        *counts.entry(*id).or_default() += 1.0;
    }
    let total: f64 = counts.values().sum();
    let (shared, unused) = (smoothing / vocab as f64, vocab.saturating_sub(counts.len()));
    let entropy = |p: f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
    let used: f64 = counts.values().map(|c| entropy((1.0 - smoothing) * c / total + shared)).sum();
    used + unused as f64 * entropy(shared)
}
