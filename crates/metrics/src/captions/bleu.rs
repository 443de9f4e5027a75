//! Corpus BLEU-1 to BLEU-4 (Papineni et al. 2002) with the constants of the COCO caption tools.

use crate::captions::corpus::{CaptionTokens, ImageWords};
use crate::captions::ngrams::{Ngram, ORDERS, common, counts, sorted};
use crate::parallel::{Advance, with_scratch};
use serde::{Deserialize, Serialize};

/// Keeps a product of zero matches at (nearly) zero instead of exactly zero, as the official scorer
/// does.
const TINY: f64 = 1e-15;
/// Keeps a division by no n-grams defined, as the official scorer does.
const SMALL: f64 = 1e-9;

/// BLEU of a set of captions, in `[0, 1]`; index `k` holds BLEU-(k+1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bleu {
    /// From the counts and lengths of all captions together. This is the number papers give; it is
    /// not a mean. `None` of no captions.
    pub corpus: Option<[f64; ORDERS]>,
    /// The same formula for each caption alone.
    pub per_image: Vec<[f64; ORDERS]>,
    /// Number of n-grams of the captions that are in a reference, for n = 1..=4.
    pub matched: [usize; ORDERS],
    /// Number of n-grams that the captions have.
    pub ngrams: [usize; ORDERS],
}

/// The sufficient statistics of BLEU; those of a corpus are the sums over its captions.
#[derive(Clone, Copy, Default)]
struct Statistics {
    length: usize,
    reference_length: usize,
    correct: [usize; ORDERS],
    guessed: [usize; ORDERS],
}

/// Buffers for the counts of one image.
#[derive(Default)]
struct Scratch {
    words: ImageWords,
    ngrams: Vec<Ngram>,
    /// N-grams of references with their counts.
    most: Vec<(Ngram, u32)>,
}

impl Scratch {
    /// Counts the n-grams of the hypothesis in a reference, each as often as it is in one of them.
    fn matched(&mut self, order: usize) -> usize {
        self.most.clear();
        for reference in self.words.references() {
            sorted(reference, order, &mut self.ngrams);
            self.most.extend(counts(&self.ngrams));
        }
        self.most.sort_unstable();
        // Of equal n-grams the last is the most frequent.
        let most = self.most.chunk_by(|a, b| a.0 == b.0).filter_map(|same| same.last().copied());
        sorted(&self.words.hypothesis, order, &mut self.ngrams);
        common(counts(&self.ngrams), most).map(|(times, most)| times.min(most) as usize).sum()
    }

    fn statistics(&mut self, corpus: &CaptionTokens, image: usize) -> Statistics {
        self.words.read(corpus, image);
        let length = self.words.hypothesis.len();
        // The closest reference length; the shorter one of two equally close.
        let closest = self.words.references().map(|r| (r.len().abs_diff(length), r.len())).min();
        Statistics {
            length,
            reference_length: closest.map_or(0, |(_, length)| length),
            correct: std::array::from_fn(|order| self.matched(order)),
            guessed: std::array::from_fn(|order| length.saturating_sub(order)),
        }
    }
}

impl Statistics {
    fn add(&mut self, other: &Self) {
        self.length += other.length;
        self.reference_length += other.reference_length;
        for order in 0..ORDERS {
            self.correct[order] += other.correct[order];
            self.guessed[order] += other.guessed[order];
        }
    }

    fn score(&self) -> [f64; ORDERS] {
        let ratio = (self.length as f64 + TINY) / (self.reference_length as f64 + SMALL);
        let brevity = if ratio < 1.0 { libm::exp(1.0 - 1.0 / ratio) } else { 1.0 };
        let mut product = 1.0;
        std::array::from_fn(|order| {
            product *= (self.correct[order] as f64 + TINY) / (self.guessed[order] as f64 + SMALL);
            libm::pow(product, 1.0 / (order + 1) as f64) * brevity
        })
    }
}

/// Corpus and per-caption BLEU-1..4 of tokenised captions, one hypothesis per image.
///
/// Formula: pycocoevalcap 1.2.
///
/// ```
/// use toolkit_metrics::{bleu, tokenize};
///
/// let found = bleu(
///     &[tokenize("a dog runs on grass")],
///     &[vec![tokenize("A dog runs on the grass.")]],
/// );
/// // Every word is in the reference, so only the brevity penalty lowers BLEU-1.
/// let corpus = found.corpus.expect("there is a caption");
/// assert!((corpus[0] - libm::exp(1.0 - 6.0 / 5.0)).abs() < 1e-6);
/// assert_eq!(found.matched, [5, 3, 2, 1]);
/// ```
///
/// # Panics
/// If `hypotheses` and `references` differ in length.
#[must_use]
pub fn bleu(hypotheses: &[Vec<String>], references: &[Vec<Vec<String>>]) -> Bleu {
    CaptionTokens::of_tokens(hypotheses, references).bleu(&|_| {})
}

impl CaptionTokens {
    /// Corpus and per-caption BLEU-1..4; see [`bleu`]. Says how many more images are scored.
    #[must_use]
    pub fn bleu(&self, advance: Advance<'_>) -> Bleu {
        let one = |scratch: &mut Scratch, image: usize| {
            let statistics = scratch.statistics(self, image);
            (statistics.score(), statistics)
        };
        let each = with_scratch(self.len(), one, advance);
        let mut total = Statistics::default();
        each.iter().for_each(|(_, statistics)| total.add(statistics));
        Bleu {
            corpus: (!self.is_empty()).then(|| total.score()),
            per_image: each.into_iter().map(|(score, _)| score).collect(),
            matched: total.correct,
            ngrams: total.guessed,
        }
    }
}
