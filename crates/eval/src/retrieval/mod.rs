//! Image-text retrieval with a stage-1 bridge: similarity first, then the matching head over the
//! best candidates (BLIP-2, section 4.4; LAVIS `blip2_qformer.py`, `compute_sim_matrix`).

mod pairs;
mod similar;

use self::pairs::{Matched, match_pairs};
use self::similar::{Embeddings, Similar};
use crate::{EvalError, FeatureSource};
use serde::{Deserialize, Serialize};
use toolkit_core::{TextSpecialTokens, TextTower, noise};
use toolkit_metrics::retrieval::{Ranks, Retrieval};

/// Settings of retrieval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetrievalConfig {
    /// Candidates of each image and of each text that the matching head re-ranks (LAVIS: 128); 0
    /// leaves it out.
    pub top_k: usize,
    /// Images, texts or pairs at a time.
    pub batch: usize,
    /// Longest text with its first and last token; longer ones are cut (LAVIS: 35).
    pub max_tokens: usize,
    /// `true` if similarities rank. If not, because ITC was not trained, the matching head scores
    /// all pairs, and its logit alone ranks them.
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
    /// Item of the data set.
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
    /// Ranks of each image, in the order given.
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

/// Retrieves texts by images and images by texts among `items`.
///
/// `captions[i]` are the token ids of the texts of item `i`, one or more; `[CLS]` and `[SEP]` are
/// put around them where they are missing. `features` is asked twice for each item if pairs are
/// matched.
///
/// # Errors
/// If an item has no text, similarities are not numbers, or features cannot be read.
pub fn retrieve(
    tower: &dyn TextTower,
    features: &FeatureSource<'_>,
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
    let frame = |ids: &Vec<u32>| framed(ids, special_tokens, config.max_tokens);
    let search = Search {
        tower,
        features,
        items,
        texts: captions.iter().flatten().map(frame).collect(),
        owner: owners(captions),
        padding: special_tokens.pad,
        config,
    };
    noise::off(|| search.run())
}

/// A retrieval among `items`.
pub(crate) struct Search<'a> {
    pub(crate) tower: &'a dyn TextTower,
    pub(crate) features: &'a FeatureSource<'a>,
    pub(crate) items: &'a [usize],
    /// Texts with their first and last token, those of one image after the other.
    pub(crate) texts: Vec<Vec<u32>>,
    /// Image of each text.
    pub(crate) owner: Vec<usize>,
    pub(crate) padding: u32,
    pub(crate) config: RetrievalConfig,
}

/// Ranks after the matching head, and its accuracy.
struct Reranked {
    ranks: Ranks,
    accuracy: f64,
}

impl Search<'_> {
    fn run(&self) -> Result<RetrievalResult, EvalError> {
        // 1. Similarities rank everything and choose candidates.
        let similar = Embeddings::new(self)?.similar(&self.owner, self.candidates())?;
        // 2. The matching head re-ranks the candidates.
        let reranked = if self.config.top_k > 0 { Some(self.rerank(&similar)?) } else { None };
        // 3. Ranks become recalls.
        let by_matching = reranked.as_ref().map(|reranked| &reranked.ranks);
        let (Some(itc), itm) = (similar.ranks.recall(), by_matching.and_then(Ranks::recall)) else {
            return Err(EvalError::new("nothing was ranked", "retrieval", "see `unique_captions`"));
        };
        Ok(RetrievalResult {
            rows: self.rows(&similar.ranks, by_matching),
            itc,
            itm,
            chance_r1: self.chance(),
            itm_accuracy: reranked.map(|reranked| reranked.accuracy),
        })
    }

    /// Images, texts or pairs at a time.
    pub(crate) fn batch(&self) -> usize {
        self.config.batch.max(1)
    }

    /// Returns the number of candidates of each image and of each text: all without contrast.
    fn candidates(&self) -> usize {
        let all = !self.config.contrast && self.config.top_k > 0;
        if all { usize::MAX } else { self.config.top_k }
    }

    /// Matches the candidates of both sides, each text with its own image, and with the most
    /// similar other one.
    fn rerank(&self, similar: &Similar) -> Result<Reranked, EvalError> {
        let own: Vec<(usize, usize)> =
            self.owner.iter().enumerate().map(|(text, &image)| (image, text)).collect();
        let hard: Vec<(usize, usize)> = similar
            .hardest
            .iter()
            .enumerate()
            .filter_map(|(text, &image)| Some((image?, text)))
            .collect();
        let mut pairs = similar.pairs();
        pairs.extend(own.iter().chain(&hard));
        pairs.sort_unstable();
        pairs.dedup();
        let matched = match_pairs(self, &pairs)?;
        Ok(Reranked {
            ranks: similar.reranked(&self.owner, &matched, self.config.contrast),
            accuracy: accuracy(&matched, &own, &hard),
        })
    }

    /// Returns the ranks of each image, with those of its first text.
    fn rows(&self, by_similarity: &Ranks, by_matching: Option<&Ranks>) -> Vec<RetrievalRow> {
        let row = |(image, &item): (usize, &usize)| {
            let text = self.owner.partition_point(|&owner| owner < image);
            RetrievalRow {
                item,
                text_rank_itc: by_similarity.image_to_text[image].unwrap_or(usize::MAX),
                image_rank_itc: by_similarity.text_to_image[text],
                text_rank_itm: by_matching.and_then(|ranks| ranks.image_to_text[image]),
                image_rank_itm: by_matching.map(|ranks| ranks.text_to_image[text]),
            }
        };
        self.items.iter().enumerate().map(row).collect()
    }

    /// Returns R@1 of guessing in percent, the mean of both directions.
    fn chance(&self) -> f64 {
        let images = self.items.len();
        let mut texts_of = vec![0_usize; images];
        self.owner.iter().for_each(|&image| texts_of[image] += 1);
        let texts = self.texts.len() as f64;
        let guess_text =
            texts_of.iter().map(|&own| own as f64 / texts).sum::<f64>() / images as f64;
        50.0 * (guess_text + 1.0 / images as f64)
    }
}

/// Returns the image of each text.
fn owners(captions: &[Vec<Vec<u32>>]) -> Vec<usize> {
    captions.iter().enumerate().flat_map(|(i, own)| std::iter::repeat_n(i, own.len())).collect()
}

/// Puts `[CLS]` and `[SEP]` around a text and shortens it to `longest` tokens, `[SEP]` included, as
/// tokenizers do.
fn framed(ids: &[u32], special_tokens: TextSpecialTokens, longest: usize) -> Vec<u32> {
    let inner = ids.strip_prefix(&[special_tokens.cls]).unwrap_or(ids);
    let inner = inner.strip_suffix(&[special_tokens.sep]).unwrap_or(inner);
    let inner = &inner[..inner.len().min(longest.saturating_sub(2).max(1))];
    [&[special_tokens.cls][..], inner, &[special_tokens.sep]].concat()
}

/// Returns the share of right verdicts of the matching head in percent.
fn accuracy(matched: &Matched, own: &[(usize, usize)], hard: &[(usize, usize)]) -> f64 {
    let right = |pair: &(usize, usize), wanted: bool| {
        matched.get(pair).is_some_and(|logits| (logits[1] > logits[0]) == wanted)
    };
    let count = own.iter().filter(|pair| right(pair, true)).count()
        + hard.iter().filter(|pair| right(pair, false)).count();
    100.0 * count as f64 / (own.len() + hard.len()).max(1) as f64
}
