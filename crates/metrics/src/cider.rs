//! CIDEr (Vedantam et al. 2015) in the form of the COCO caption tools, which is CIDEr-D.

use crate::ngrams::{ORDERS, check_paired, count};
use std::collections::{BTreeMap, BTreeSet};

/// Width of the Gaussian length penalty, in bigrams.
const SIGMA: f64 = 6.0;

/// A caption as TF-IDF weights of its n-grams, per order.
struct Vector<'a> {
    weights: [BTreeMap<&'a [String], f64>; ORDERS],
    norms: [f64; ORDERS],
    /// Number of bigrams: what the official scorer adds up as "length".
    bigrams: usize,
}

/// In how many images each n-gram is part of a reference.
type Frequencies<'a> = BTreeMap<&'a [String], usize>;

impl<'a> Vector<'a> {
    fn of(tokens: &'a [String], frequencies: &Frequencies<'_>, log_images: f64) -> Self {
        let weights = count(tokens).map(|counts| {
            let weigh = |(ngram, times): (&'a [String], usize)| {
                let images = frequencies.get(ngram).copied().unwrap_or(0).max(1);
                (ngram, times as f64 * (log_images - (images as f64).ln()))
            };
            counts.into_iter().map(weigh).collect::<BTreeMap<_, _>>()
        });
        let norms = std::array::from_fn(|order| weights[order].values().map(|w| w * w).sum::<f64>().sqrt());
        Self { weights, norms, bigrams: tokens.len().saturating_sub(1) }
    }

    /// Clipped cosine with a length penalty, averaged over the orders.
    fn similarity(&self, reference: &Self) -> f64 {
        let delta = self.bigrams as f64 - reference.bigrams as f64;
        let penalty = (-delta * delta / (2.0 * SIGMA * SIGMA)).exp();
        let order_score = |order: usize| {
            let dot: f64 = self.weights[order]
                .iter()
                .filter_map(|(ngram, &h)| reference.weights[order].get(ngram).map(|&r| h.min(r) * r))
                .sum();
            let norm = self.norms[order] * reference.norms[order];
            if norm == 0.0 { dot } else { dot / norm }
        };
        penalty * (0..ORDERS).map(order_score).sum::<f64>() / ORDERS as f64
    }
}

/// CIDEr of each caption, from 0 to 10 (papers print 100 times the mean); the corpus score is their mean.
///
/// The document frequencies come from `references` themselves, so scores of different image sets are not comparable,
/// and a single image always scores 0. Formula: BLIP-2 specification, section 8.3 (pycocoevalcap 1.2).
///
/// # Panics
/// If `hypotheses` and `references` differ in length.
#[must_use]
pub fn cider(hypotheses: &[Vec<String>], references: &[Vec<Vec<String>>]) -> Vec<f64> {
    check_paired(hypotheses.len(), references.len());
    let mut frequencies = Frequencies::new();
    for image in references {
        let present: BTreeSet<&[String]> =
            image.iter().flat_map(|tokens| (1..=ORDERS).flat_map(|n| tokens.windows(n))).collect();
        for ngram in present {
            *frequencies.entry(ngram).or_default() += 1;
        }
    }
    let log_images = (references.len() as f64).ln();
    let score = |(hypothesis, references): (&Vec<String>, &Vec<Vec<String>>)| {
        let hypothesis = Vector::of(hypothesis, &frequencies, log_images);
        let similarity = |r: &Vec<String>| hypothesis.similarity(&Vector::of(r, &frequencies, log_images));
        10.0 * references.iter().map(similarity).sum::<f64>() / references.len().max(1) as f64
    };
    hypotheses.iter().zip(references).map(score).collect()
}
