//! Image-grounded text generation (ITG).
//!
//! The text is written word by word. Each token sees the queries and the tokens before it, and the
//! queries do not see the text (the multi-modal causal mask of BLIP-2, figure 2). So the text reads
//! the image only through the keys and values that the query pass left in its cache.

use super::{Corpus, LossValue, Stage1Loss, Stage1Pass};
use crate::losses::token_loss_sum;
use burn::tensor::{Int, Tensor};
use std::collections::BTreeMap;
use toolkit_core::{KeysValues, TextTower};

/// Name in experiments and logs.
pub const NAME: &str = "itg";

/// Image-grounded text generation.
pub struct Itg;

impl Stage1Loss for Itg {
    fn title(&self) -> &'static str {
        "image-grounded text (ITG)"
    }

    /// Draws each token from the captions' unigrams; the image has no influence.
    fn trivial(&self, corpus: &Corpus<'_>) -> Option<f64> {
        Some(unigram_loss(corpus.captions, corpus.vocab, corpus.smoothing))
    }

    fn compute(&self, pass: &Stage1Pass<'_>) -> LossValue {
        let (ids, mask) = (pass.text.ids.clone(), pass.text.mask.clone());
        let (dec, smoothing) = (pass.settings.special_tokens.dec, pass.settings.smoothing);
        let sum = loss_sum(pass.tower, &pass.images.cache, ids, mask, dec, smoothing);
        LossValue { loss: sum / pass.batch.scored_tokens() as f64, accuracies: Vec::new() }
    }
}

/// Computes the captioning loss, summed over tokens.
///
/// `cache` is [`toolkit_core::ImagePass::cache`], `ids` and `mask` are `[batch, tokens]`. The first
/// id becomes `[DEC]`, padding is ignored. Divide by the number of scored tokens, all but the first
/// of each text.
#[must_use]
pub fn loss_sum(
    tower: &dyn TextTower,
    cache: &[KeysValues],
    ids: Tensor<2, Int>,
    mask: Tensor<2>,
    dec: u32,
    smoothing: f64,
) -> Tensor<1> {
    let [batch, tokens] = ids.dims();
    let start = Tensor::<2, Int>::full([batch, 1], dec as i32, &mask.device());
    let labels = ids.narrow(1, 1, tokens - 1);
    // The last token predicts nothing, so it need not be read.
    let input = Tensor::cat(vec![start, labels.clone()], 1).narrow(1, 0, tokens - 1);
    let logits = tower.caption_logits(cache, input, mask.clone().narrow(1, 0, tokens - 1));
    token_loss_sum(logits, labels, mask.narrow(1, 1, tokens - 1), smoothing)
}

/// Returns the smallest loss of a model that always predicts the same distribution: the entropy of
/// the scored tokens' unigrams, smoothed over the `vocab` classes as the labels are.
///
/// All tokens of a caption but the first are scored.
#[must_use]
pub fn unigram_loss(captions: &[Vec<Vec<u32>>], vocab: usize, smoothing: f64) -> f64 {
    let mut counts = BTreeMap::<u32, f64>::new();
    for id in captions.iter().flatten().flat_map(|caption| caption.iter().skip(1)) {
        *counts.entry(*id).or_default() += 1.0;
    }
    let total: f64 = counts.values().sum();
    let (shared, unused) = (smoothing / vocab as f64, vocab.saturating_sub(counts.len()));
    let entropy = |p: f64| if p > 0.0 { -p * libm::log(p) } else { 0.0 };
    let used: f64 = counts.values().map(|c| entropy((1.0 - smoothing) * c / total + shared)).sum();
    used + unused as f64 * entropy(shared)
}
