//! CIDEr (Vedantam et al. 2015) in the form of the COCO caption tools, which is CIDEr-D.

use crate::ngrams::{Corpus, Counts, Ngram, ORDERS, common};
use crate::parallel::collect;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Width of the Gaussian length penalty, in bigrams.
const SIGMA: f64 = 6.0;

/// A caption as TF-IDF weights of its n-grams, per order.
struct Vector {
    weights: [Vec<(Ngram, f64)>; ORDERS],
    norms: [f64; ORDERS],
    /// Number of bigrams: what the official scorer adds up as "length".
    bigrams: usize,
}

/// In how many images each n-gram is part of a reference, per order.
type Frequencies = [HashMap<Ngram, u32, BuildHasherDefault<Mixer>>; ORDERS];

/// Hashes n-grams by a multiplication: they are numbers of ours, not text that an opponent could choose.
#[derive(Default)]
struct Mixer(u64);

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u128(u128::from(byte));
        }
    }

    fn write_u128(&mut self, n: u128) {
        let folded = (n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (n >> 64) as u64 ^ self.0;
        let product = u128::from(folded) * 0xD6E8_FEB8_6659_FD93_u128;
        self.0 = product as u64 ^ (product >> 64) as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Vector {
    fn of(counts: &Counts, frequencies: &Frequencies, log_images: f64) -> Self {
        let weights: [Vec<(Ngram, f64)>; ORDERS] = std::array::from_fn(|order| {
            let weigh = |&(ngram, times): &(Ngram, u32)| {
                let images = frequencies[order].get(&ngram).copied().unwrap_or(1);
                (ngram, f64::from(times) * (log_images - f64::from(images).ln()))
            };
            counts.orders[order].iter().map(weigh).collect()
        });
        let norms = std::array::from_fn(|order| weights[order].iter().map(|(_, w)| w * w).sum::<f64>().sqrt());
        Self { weights, norms, bigrams: counts.length.saturating_sub(1) }
    }

    /// Clipped cosine with a length penalty, averaged over the orders.
    fn similarity(&self, reference: &Self) -> f64 {
        let delta = self.bigrams as f64 - reference.bigrams as f64;
        let penalty = (-delta * delta / (2.0 * SIGMA * SIGMA)).exp();
        let order_score = |order: usize| {
            let dot: f64 = common(&self.weights[order], &reference.weights[order]).map(|(h, r)| h.min(r) * r).sum();
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
    of_corpus(&Corpus::new(hypotheses, references))
}

/// [`cider`] of counted captions.
pub(crate) fn of_corpus(corpus: &Corpus) -> Vec<f64> {
    let frequencies = std::array::from_fn(|order| frequencies(corpus, order));
    let log_images = (corpus.references.len() as f64).ln();
    collect(corpus.hypotheses.len(), |image| {
        let references = &corpus.references[image];
        let hypothesis = Vector::of(&corpus.hypotheses[image], &frequencies, log_images);
        let similarity = |r: &Counts| hypothesis.similarity(&Vector::of(r, &frequencies, log_images));
        10.0 * references.iter().map(similarity).sum::<f64>() / references.len().max(1) as f64
    })
}

/// The frequencies of the n-grams of one order.
fn frequencies(corpus: &Corpus, order: usize) -> HashMap<Ngram, u32, BuildHasherDefault<Mixer>> {
    let mut frequencies = HashMap::default();
    let mut present: Vec<Ngram> = Vec::new();
    for image in &corpus.references {
        present.clear();
        present.extend(image.iter().flat_map(|counts| counts.orders[order].iter().map(|&(ngram, _)| ngram)));
        present.sort_unstable();
        present.dedup();
        for &ngram in &present {
            *frequencies.entry(ngram).or_default() += 1;
        }
    }
    frequencies
}
