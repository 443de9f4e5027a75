//! Image-text contrastive learning (ITC).
//!
//! Each image has several query outputs and each text one embedding. Their similarity is the
//! largest over the queries, divided by a learned temperature. Among all texts of the batch the
//! loss looks for the one of the image, and among all images for the one of the text. Queries and
//! text do not see each other (the uni-modal mask of BLIP-2, figure 2): the embeddings come from
//! passes of their own.

use super::{Accuracy, Corpus, LossValue, Stage1Loss, Stage1Pass, Stage1Settings};
use crate::losses::{cross_entropy_rows, soft_cross_entropy_rows};
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};
use toolkit_core::{ImagePass, TextBatch, TextTower, index, params, similarity};
use toolkit_kernels::{mean, scale_rows};

/// Name in experiments and logs.
pub const NAME: &str = "itc";

/// Smallest divisor of similarities (BLIP-1's bound; LAVIS's BLIP-2 has none).
///
/// Steps are large at nano learning rates: a temperature at zero would end the run.
pub(crate) const SMALLEST_TEMPERATURE: f64 = 1e-3;

/// Image-text contrastive learning.
pub struct Itc;

impl Stage1Loss for Itc {
    fn title(&self) -> &'static str {
        "image–text contrast (ITC)"
    }

    /// Takes every text of the batch as equally likely.
    fn trivial(&self, corpus: &Corpus<'_>) -> Option<f64> {
        Some(libm::log(corpus.batch as f64))
    }

    fn trains_similarity(&self) -> bool {
        true
    }

    fn compute(&self, pass: &Stage1Pass<'_>) -> LossValue {
        let same_content = |a: usize, b: usize| pass.batch.same_content(a, b);
        let logits = pass.similarity();
        let found = hits(&params::floats(logits.clone().inner()), pass.batch.size(), same_content);
        LossValue {
            loss: pass.embeds().loss(logits, pass.settings, same_content),
            accuracies: vec![accuracy(found, pass.batch.size())],
        }
    }
}

/// Gradient of the contrast through the embeddings that each image and text is compared with.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum GatherGrad {
    /// It goes through both sides of each pair, as in one process over the whole batch.
    #[default]
    Full,
    /// It goes through the image that looks for its text and the text that looks for its image,
    /// not through the candidates: LAVIS gathers them from all ranks without a backward pass.
    Detached,
}

impl GatherGrad {
    /// Returns `true` for the default.
    #[must_use]
    pub fn is_full(&self) -> bool {
        *self == Self::Full
    }
}

/// Embeddings of a batch in the space of ITC.
#[derive(Clone)]
pub struct Embeds {
    /// `[images, queries, embed]`, l2-normalised.
    pub images: Tensor<3>,
    /// `[texts, embed]`, l2-normalised.
    pub texts: Tensor<2>,
    /// Temperature `[1]`.
    pub temperature: Tensor<1>,
}

impl Embeds {
    /// Embeds the images and texts of a batch.
    pub(super) fn of(tower: &dyn TextTower, images: &ImagePass, text: &TextBatch) -> Self {
        let texts = tower.text_embeds(text.ids.clone(), text.mask.clone());
        let images = tower.image_embeds(images.queries.clone());
        Self { images, texts, temperature: tower.temperature() }
    }

    /// Returns the similarities of all pairs over the temperature, `[images, texts]`.
    #[must_use]
    pub fn logits(&self) -> Tensor<2> {
        logits(self.images.clone(), self.texts.clone(), self.temperature.clone())
    }

    /// Returns the mean cross-entropy of both directions. `logits` are [`Embeds::logits`].
    #[must_use]
    pub fn loss(
        &self,
        logits: Tensor<2>,
        settings: Stage1Settings,
        same_content: impl Fn(usize, usize) -> bool,
    ) -> Tensor<1> {
        match settings.gather_grad {
            GatherGrad::Full => loss(logits, settings.smoothing, same_content),
            GatherGrad::Detached => {
                let Self { images, texts, temperature } = self.clone();
                let find_text =
                    self::logits(images.clone(), texts.clone().detach(), temperature.clone());
                let find_image = self::logits(images.detach(), texts, temperature).transpose();
                loss_of_directions([find_text, find_image], settings.smoothing, same_content)
            }
        }
    }
}

/// Returns the similarities of all pairs divided by the temperature, `[images, texts]`.
///
/// `images` are `[images, queries, embed]`, `texts` are `[texts, embed]`, both l2-normalised.
#[must_use]
pub fn logits(images: Tensor<3>, texts: Tensor<2>, temperature: Tensor<1>) -> Tensor<2> {
    let similar = similarity(images, texts);
    let ([images, texts], scale) = (similar.dims(), temperature.clamp_min(SMALLEST_TEMPERATURE));
    scale_rows(similar.reshape([1, images * texts]), scale.recip()).reshape([images, texts])
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
    loss_of_directions([logits.clone(), logits.transpose()], smoothing, same_content)
}

/// Returns the mean cross-entropy of images that look for their texts, `[images, texts]`, and of
/// texts that look for their images, `[texts, images]`.
fn loss_of_directions(
    [find_text, find_image]: [Tensor<2>; 2],
    smoothing: f64,
    same_content: impl Fn(usize, usize) -> bool,
) -> Tensor<1> {
    let [n, _] = find_text.dims();
    if (0..n).any(|a| (0..a).any(|b| same_content(a, b))) {
        let targets = shared_targets(n, smoothing, same_content);
        let targets = Tensor::<2>::from_data(TensorData::new(targets, [n, n]), &find_text.device());
        let texts = mean(soft_cross_entropy_rows(find_text, targets.clone()));
        return (texts + mean(soft_cross_entropy_rows(find_image, targets))) * 0.5;
    }
    let own = index(&(0..n).collect::<Vec<_>>(), &find_text.device());
    let texts = mean(cross_entropy_rows(find_text, own.clone(), smoothing));
    let images = mean(cross_entropy_rows(find_image, own, smoothing));
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
