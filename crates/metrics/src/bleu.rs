//! Corpus BLEU-1 to BLEU-4 (Papineni et al. 2002) with the constants of the COCO caption tools.

use crate::ngrams::{Corpus, Counts, Ngram, ORDERS, common};
use crate::parallel::collect;
use serde::{Deserialize, Serialize};

/// Keeps a product of zero matches at (nearly) zero instead of exactly zero, as the official scorer does.
const TINY: f64 = 1e-15;
/// Keeps a division by no n-grams defined, as the official scorer does.
const SMALL: f64 = 1e-9;

/// BLEU of a set of captions, in `[0, 1]`; index `k` holds BLEU-(k+1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bleu {
    /// From the counts and lengths of all captions together. This is the number papers give; it is not a mean.
    pub corpus: [f64; ORDERS],
    /// The same formula for each caption alone.
    pub per_image: Vec<[f64; ORDERS]>,
}

/// The sufficient statistics of BLEU; those of a corpus are the sums over its captions.
#[derive(Clone, Copy, Default)]
struct Statistics {
    length: usize,
    reference_length: usize,
    correct: [usize; ORDERS],
    guessed: [usize; ORDERS],
}

impl Statistics {
    fn of(hypothesis: &Counts, references: &[Counts]) -> Self {
        let matched = |order: usize| {
            // The most often that each n-gram is in one reference.
            let mut most: Vec<(Ngram, u32)> = references.iter().flat_map(|r| r.orders[order].iter().copied()).collect();
            most.sort_unstable();
            // Of equal n-grams the last is the most frequent.
            let most: Vec<(Ngram, u32)> =
                most.chunk_by(|a, b| a.0 == b.0).filter_map(|same| same.last().copied()).collect();
            common(&hypothesis.orders[order], &most).map(|(times, most)| times.min(most) as usize).sum()
        };
        let length = hypothesis.length;
        // The closest reference length; the shorter one of two equally close.
        let closest = references.iter().map(|r| (r.length.abs_diff(length), r.length)).min();
        Self {
            length,
            reference_length: closest.map_or(0, |(_, length)| length),
            correct: std::array::from_fn(matched),
            guessed: std::array::from_fn(|order| length.saturating_sub(order)),
        }
    }

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
        let brevity = if ratio < 1.0 { (1.0 - 1.0 / ratio).exp() } else { 1.0 };
        let mut product = 1.0;
        std::array::from_fn(|order| {
            product *= (self.correct[order] as f64 + TINY) / (self.guessed[order] as f64 + SMALL);
            product.powf(1.0 / (order + 1) as f64) * brevity
        })
    }
}

/// Corpus and per-caption BLEU-1..4 of tokenised captions, one hypothesis per image.
///
/// Formula: BLIP-2 specification, section 8.3 (pycocoevalcap 1.2). An empty corpus scores 0.
///
/// # Panics
/// If `hypotheses` and `references` differ in length.
#[must_use]
pub fn bleu(hypotheses: &[Vec<String>], references: &[Vec<Vec<String>>]) -> Bleu {
    of_corpus(&Corpus::new(hypotheses, references))
}

/// [`bleu`] of counted captions.
pub(crate) fn of_corpus(corpus: &Corpus) -> Bleu {
    let statistics =
        collect(corpus.hypotheses.len(), |image| Statistics::of(&corpus.hypotheses[image], &corpus.references[image]));
    let mut total = Statistics::default();
    for one in &statistics {
        total.add(one);
    }
    Bleu { corpus: total.score(), per_image: statistics.iter().map(Statistics::score).collect() }
}
