//! Image-text retrieval with a stage-1 bridge: similarity first, then the matching head over the
//! best candidates (BLIP-2, section 4.4; LAVIS `blip2_qformer.py`, `compute_sim_matrix`).

use crate::EvalError;
use crate::pairs::{Matched, match_pairs};
use crate::similar::Embeddings;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use toolkit_core::{TextSpecialTokens, TextTower, noise};
use toolkit_metrics::retrieval::{Ranks, Retrieval};
use toolkit_train::TrainError;

/// Settings of retrieval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetrievalConfig {
    /// Candidates of each image and of each text that the matching head looks at (LAVIS: 128); 0
    /// leaves it out.
    pub top_k: usize,
    /// Images, texts or pairs at a time.
    pub batch: usize,
    /// Longest text with its first and last token; longer ones are cut (LAVIS: 35).
    pub max_tokens: usize,
    /// Whether similarities say something. If not, because ITC was not trained, the matching head
    /// looks at all pairs and its logit alone ranks them.
    pub contrast: bool,
}

impl Default for RetrievalConfig {
    fn default() -> Self {
        Self { top_k: 32, batch: 64, max_tokens: 35, contrast: true }
    }
}

/// Ranks of one image, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetrievalRow {
    /// The data set item.
    pub item: usize,
    /// Rank of the best of its texts, by similarity.
    pub text_rank_itc: usize,
    /// Rank of the image for its first text, by similarity.
    pub image_rank_itc: usize,
    /// Rank of the best of its texts, re-ranked.
    pub text_rank_itm: Option<usize>,
    /// Rank of the image for its first text, re-ranked.
    pub image_rank_itm: Option<usize>,
}

/// Recalls in percent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetrievalResult {
    /// One for each image, in the order given.
    pub rows: Vec<RetrievalRow>,
    /// By similarity, the largest over the queries.
    pub itc: Retrieval,
    /// By similarity plus matching logit.
    pub itm: Option<Retrieval>,
    /// R@1 of guessing, mean of both directions.
    pub chance_r1: f64,
    /// Share of right verdicts of the matching head, in percent, on each text's own image and on
    /// the most similar other one; guessing gives 50.
    pub itm_accuracy: Option<f64>,
}

/// Retrieves texts by images and images by texts among `items`. `captions[i]` are the token ids of
/// the texts of item `i`, one or more; `[CLS]` and `[SEP]` are put around them where they are
/// missing. `features` gives `[items, tokens, width]` on a plain device and is asked twice for each
/// item if pairs are matched.
///
/// # Errors
/// If an item has no text, similarities are not numbers, or features cannot be read.
pub fn retrieve(
    tower: &dyn TextTower,
    features: &dyn Fn(&[usize]) -> Result<Tensor<3>, TrainError>,
    items: &[usize],
    captions: &[Vec<Vec<u32>>],
    special_tokens: TextSpecialTokens,
    config: RetrievalConfig,
) -> Result<RetrievalResult, EvalError> {
    if items.is_empty() || items.len() != captions.len() || captions.iter().any(Vec::is_empty) {
        let what = format!(
            "{} images with {} lists of captions, not one or more for each",
            items.len(),
            captions.len()
        );
        return Err(EvalError::new(what, "retrieval", "see `unique_captions`"));
    }
    noise::off(|| run(tower, features, items, captions, special_tokens, config))
}

fn run(
    tower: &dyn TextTower,
    features: &dyn Fn(&[usize]) -> Result<Tensor<3>, TrainError>,
    items: &[usize],
    captions: &[Vec<Vec<u32>>],
    special_tokens: TextSpecialTokens,
    config: RetrievalConfig,
) -> Result<RetrievalResult, EvalError> {
    let batch = config.batch.max(1);
    let texts: Vec<Vec<u32>> = captions
        .iter()
        .flatten()
        .map(|ids| framed(ids, special_tokens, config.max_tokens))
        .collect();
    let owner: Vec<usize> =
        captions.iter().enumerate().flat_map(|(i, c)| std::iter::repeat_n(i, c.len())).collect();
    let k = if config.contrast || config.top_k == 0 { config.top_k } else { usize::MAX };
    let sim = Embeddings::new(tower, features, items, &texts, special_tokens.pad, batch)?
        .similar(&owner, k)?;
    let (mut reranked, mut itm_accuracy) = (None, None);
    if config.top_k > 0 {
        let of_image = sim
            .texts
            .iter()
            .enumerate()
            .flat_map(|(image, c)| c.iter().map(move |&(text, _)| (image, text)));
        let of_text = sim
            .images
            .iter()
            .enumerate()
            .flat_map(|(text, c)| c.iter().map(move |&(image, _)| (image, text)));
        let own: Vec<(usize, usize)> =
            owner.iter().enumerate().map(|(text, &image)| (image, text)).collect();
        let hard = sim.hardest.iter().enumerate().filter_map(|(text, &image)| Some((image?, text)));
        let hard: Vec<(usize, usize)> = hard.collect();
        let all = of_image.chain(of_text).chain(own.iter().copied()).chain(hard.iter().copied());
        let mut pairs: Vec<(usize, usize)> = all.collect();
        pairs.sort_unstable();
        pairs.dedup();
        let matched =
            match_pairs(tower, features, items, &texts, &pairs, special_tokens.pad, batch)?;
        reranked = Some(sim.reranked(&owner, &matched, config.contrast));
        itm_accuracy = Some(verdicts(&matched, &own, &hard));
    }
    let by_sim = &sim.ranks;
    let (Some(itc), itm) = (by_sim.recall(), reranked.as_ref().and_then(Ranks::recall)) else {
        return Err(EvalError::new("nothing was ranked", "retrieval", "see `unique_captions`"));
    };
    let mut first = 0;
    let rows = items.iter().zip(captions).enumerate().map(|(image, (&item, own))| {
        let text = first;
        first += own.len();
        RetrievalRow {
            item,
            text_rank_itc: by_sim.image_to_text[image].unwrap_or(usize::MAX),
            image_rank_itc: by_sim.text_to_image[text],
            text_rank_itm: reranked.as_ref().and_then(|r| r.image_to_text[image]),
            image_rank_itm: reranked.as_ref().map(|r| r.text_to_image[text]),
        }
    });
    let rows = rows.collect();
    let guess_text = captions.iter().map(|own| own.len() as f64 / texts.len() as f64).sum::<f64>()
        / items.len() as f64;
    let chance_r1 = 50.0 * (guess_text + 1.0 / items.len() as f64);
    Ok(RetrievalResult { rows, itc, itm, chance_r1, itm_accuracy })
}

/// The text between its marks, cut so that the last one stays (as tokenizers cut).
fn framed(ids: &[u32], special_tokens: TextSpecialTokens, longest: usize) -> Vec<u32> {
    let inner = ids.strip_prefix(&[special_tokens.cls]).unwrap_or(ids);
    let inner = inner.strip_suffix(&[special_tokens.sep]).unwrap_or(inner);
    let kept = &inner[..inner.len().min(longest.saturating_sub(2).max(1))];
    [&[special_tokens.cls][..], kept, &[special_tokens.sep]].concat()
}

fn verdicts(matched: &Matched, own: &[(usize, usize)], hard: &[(usize, usize)]) -> f64 {
    let says = |pair: &(usize, usize), wanted: bool| {
        matched.get(pair).is_some_and(|l| (l[1] > l[0]) == wanted)
    };
    let right = own.iter().filter(|pair| says(pair, true)).count()
        + hard.iter().filter(|pair| says(pair, false)).count();
    100.0 * right as f64 / (own.len() + hard.len()).max(1) as f64
}
