//! Image-text matching (ITM).
//!
//! Queries and text see each other in all layers (the bi-directional mask of BLIP-2, figure 2), and
//! a classifier on each query output decides if image and text belong together. Its logits are
//! averaged over the queries. Each pair of the batch comes with two hard negatives: another image for its
//! text and another text for its image, drawn in proportion to the contrastive similarity.

use super::{Accuracy, Batch, Corpus, LossValue, Stage1Loss, Stage1Pass};
use crate::losses::cross_entropy_rows;
use burn::tensor::{Int, Tensor};
use toolkit_core::{KeysValues, Pair, Stream, TextTower, index, params};

/// Name in experiments and logs.
pub const NAME: &str = "itm";

/// Loss of a matcher that knows only that one triplet in three matches.
pub const TRIVIAL: f64 = 0.636_514_168_294_813;

/// Image-text matching.
pub struct Itm;

impl Stage1Loss for Itm {
    fn title(&self) -> &'static str {
        "image–text matching (ITM)"
    }

    /// Knows only that one triplet in three matches.
    fn trivial(&self, _: &Corpus<'_>) -> Option<f64> {
        Some(TRIVIAL)
    }

    fn compute(&self, pass: &Stage1Pass<'_>) -> LossValue {
        let (pairs, labels) = pass.negatives.triplets();
        let (ids, mask) = (pass.text.ids.clone(), pass.text.mask.clone());
        let matched = loss_sum(pass.tower, &pass.images.cross, &pairs, ids, mask, &labels);
        let batch = pass.batch.size();
        LossValue {
            loss: matched.loss / (3 * batch) as f64,
            accuracies: accuracies(matched.right, matched.right_negatives, batch),
        }
    }
}

/// Rows of a batch that do not belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negatives {
    /// For each text another image.
    pub image_of_text: Vec<usize>,
    /// For each image another text.
    pub text_of_image: Vec<usize>,
}

impl Negatives {
    /// Returns the pairs that are classified and their labels, 1 for a match: all own pairs, then
    /// each text with its negative image, then each image with its negative text.
    #[must_use]
    pub fn triplets(&self) -> (Vec<Pair>, Vec<usize>) {
        let n = self.image_of_text.len();
        let wrong_image = self.image_of_text.iter().enumerate();
        let wrong_text = self.text_of_image.iter().enumerate();
        let pairs = Pair::own(n)
            .into_iter()
            .chain(wrong_image.map(|(text, &image)| Pair { text, image }))
            .chain(wrong_text.map(|(image, &text)| Pair { text, image }))
            .collect();
        (pairs, (0..3 * n).map(|i| usize::from(i < n)).collect())
    }
}

/// Draws hard negatives in proportion to `softmax(similarity / temperature)`.
///
/// `logits [n, n]` are [`super::itc::logits`], image x text. The own row and rows of the same
/// content are left out (LAVIS leaves out equal `image_id`s). Where all rows have the same content,
/// another one is taken all the same; a batch of a single pair gives the pair itself.
#[must_use]
pub fn hard_negatives(
    logits: &[f32],
    n: usize,
    same_content: impl Fn(usize, usize) -> bool,
    draw: &mut Stream,
) -> Negatives {
    let mut pick = |row: &dyn Fn(usize) -> f32, own: usize| {
        let apart = (0..n).any(|j| j != own && !same_content(own, j));
        let allowed = |j: usize| j != own && !(apart && same_content(own, j));
        let largest = (0..n).filter(|&j| allowed(j)).map(row).fold(f32::NEG_INFINITY, f32::max);
        let weights: Vec<f32> =
            (0..n).map(|j| if allowed(j) { libm::expf(row(j) - largest) } else { 0.0 }).collect();
        if n == 1 { 0 } else { draw.weighted(&weights) }
    };
    let image_of_text = (0..n).map(|t| pick(&|i| logits[i * n + t], t)).collect();
    let text_of_image = (0..n).map(|i| pick(&|t| logits[i * n + t], i)).collect();
    Negatives { image_of_text, text_of_image }
}

/// Draws the hard negatives of a batch, from its own stream of random numbers.
///
/// Without `logits` all rows are equally likely: embeddings that nothing trains find no hard ones.
#[must_use]
pub fn negatives(batch: &Batch, logits: Option<&[f32]>) -> Negatives {
    let n = batch.size();
    let even = vec![0.0; n * n];
    let same_content = |a: usize, b: usize| batch.same_content(a, b);
    let mut draw = batch.stream("stage1/negatives");
    hard_negatives(logits.unwrap_or(&even), n, same_content, &mut draw)
}

/// Matching loss of some pairs.
pub struct Matched {
    /// Cross-entropy, summed over the pairs.
    pub loss: Tensor<1>,
    /// Number of pairs that are classified rightly.
    pub right: usize,
    /// Number of pairs that do not match and are classified so.
    pub right_negatives: usize,
}

/// Computes the matching loss of `pairs`, `labels[i]` 1 for a match.
///
/// `cross` is [`toolkit_core::ImagePass::cross`], `ids` and `mask` are `[texts, tokens]`.
#[must_use]
pub fn loss_sum(
    tower: &dyn TextTower,
    cross: &[KeysValues],
    pairs: &[Pair],
    ids: Tensor<2, Int>,
    mask: Tensor<2>,
    labels: &[usize],
) -> Matched {
    let device = mask.device();
    let logits = tower.match_logits(cross, pairs, ids, mask);
    let values = params::floats(logits.clone());
    let right = |(l, &label): (&[f32], &usize)| ((l[1] > l[0]) == (label == 1)).then_some(label);
    let right: Vec<usize> = values.chunks(2).zip(labels).filter_map(right).collect();
    Matched {
        loss: toolkit_kernels::sum(cross_entropy_rows(logits, index(labels, &device), 0.0)),
        right: right.len(),
        right_negatives: right.iter().filter(|&&label| label == 0).count(),
    }
}

/// Returns the shares of triplets and of hard negatives that are classified rightly.
pub(super) fn accuracies(right: usize, right_negatives: usize, batch: usize) -> Vec<Accuracy> {
    vec![
        Accuracy { of: "", value: right as f64 / (3 * batch) as f64 },
        Accuracy { of: "hard_negatives", value: right_negatives as f64 / (2 * batch) as f64 },
    ]
}
