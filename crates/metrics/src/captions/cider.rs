//! CIDEr (Vedantam et al. 2015) in the form of the COCO caption tools, which is CIDEr-D.

use crate::captions::corpus::{CaptionTokens, ImageWords};
use crate::captions::ngrams::{Ngram, ORDERS, common, counts, sorted};
use crate::parallel::{Advance, collect, with_scratch};
use rayon::slice::ParallelSliceMut;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Width of the Gaussian length penalty, in bigrams.
const SIGMA: f64 = 6.0;

/// Images whose n-grams are collected by one thread, and by all before they are joined.
const CHUNK: usize = 256;
const BLOCK: usize = 1 << 15;

/// CIDEr of a set of captions.
#[derive(Clone, Debug, PartialEq)]
pub struct Cider {
    /// CIDEr of each caption, from 0 to 10; the corpus score is their mean.
    pub per_image: Vec<f64>,
    /// True if no n-gram has a weight, because every image has the same ones in its references.
    /// All scores are then 0.
    pub weightless: bool,
}

/// Weights of the n-grams of one order, by the images that have them in a reference.
struct Weights {
    /// Weights of n-grams of more than one image.
    repeated: HashMap<Ngram, f64, BuildHasherDefault<Mixer>>,
    /// Weight of all others, also of n-grams that no reference has.
    rare: f64,
    /// True if every n-gram of the references is in all images.
    none: bool,
}

/// Hashes n-grams by a multiplication: they are numbers of ours, not text that an opponent could
/// choose.
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

impl Weights {
    /// The weights of n-grams of one order. Only those of several images are kept in a map: most
    /// are of one.
    fn new(corpus: &CaptionTokens, order: usize) -> Self {
        let images = corpus.len();
        let mut all: Vec<Ngram> = Vec::new();
        for block in (0..images).step_by(BLOCK) {
            let end = images.min(block + BLOCK);
            let chunk = |at: usize| {
                present(corpus, order, block + at * CHUNK..end.min(block + (at + 1) * CHUNK))
            };
            collect((end - block).div_ceil(CHUNK), chunk)
                .into_iter()
                .for_each(|own| all.extend(own));
        }
        all.par_sort_unstable();
        let log_images = libm::log(images as f64);
        let counted = || counts(&all);
        let mut repeated = HashMap::with_capacity_and_hasher(
            counted().filter(|&(_, n)| n > 1).count(),
            <_>::default(),
        );
        let weigh =
            |(ngram, images): (Ngram, u32)| (ngram, log_images - libm::log(f64::from(images)));
        repeated.extend(counted().filter(|&(_, n)| n > 1).map(weigh));
        let none = counted().all(|(_, n)| n as usize == images);
        // An n-gram that is nowhere counts as in one image.
        Self { repeated, rare: log_images - libm::log(1.0), none }
    }

    /// The n-grams of a caption with their weights, in order, and the length of that vector.
    fn vector(
        &self,
        words: &[u32],
        order: usize,
        ngrams: &mut Vec<Ngram>,
        vector: &mut Vec<(Ngram, f64)>,
    ) -> f64 {
        sorted(words, order, ngrams);
        vector.clear();
        let weigh = |(ngram, times)| {
            (ngram, f64::from(times) * self.repeated.get(&ngram).copied().unwrap_or(self.rare))
        };
        vector.extend(counts(ngrams).map(weigh));
        vector.iter().map(|(_, w)| w * w).sum::<f64>().sqrt()
    }
}

/// The n-grams of each image's references, each once.
fn present(corpus: &CaptionTokens, order: usize, images: std::ops::Range<usize>) -> Vec<Ngram> {
    let (mut words, mut ngrams, mut own) = (ImageWords::default(), Vec::new(), Vec::new());
    let mut all = Vec::new();
    for image in images {
        words.read(corpus, image);
        own.clear();
        for reference in words.references() {
            sorted(reference, order, &mut ngrams);
            own.extend(&ngrams);
        }
        own.sort_unstable();
        own.dedup();
        all.extend(&own);
    }
    all
}

/// Buffers for the score of one image: its TF-IDF vectors of one order at a time.
#[derive(Default)]
struct Scratch {
    words: ImageWords,
    ngrams: Vec<Ngram>,
    hypothesis: Vec<(Ngram, f64)>,
    reference: Vec<(Ngram, f64)>,
    /// Cosines by reference and order.
    cosines: Vec<[f64; ORDERS]>,
}

impl Scratch {
    fn score(&mut self, corpus: &CaptionTokens, weights: &[Weights; ORDERS], image: usize) -> f64 {
        self.words.read(corpus, image);
        self.cosines.clear();
        self.cosines.resize(self.words.references().count(), [0.0; ORDERS]);
        for (order, weights) in weights.iter().enumerate() {
            let own = weights.vector(
                &self.words.hypothesis,
                order,
                &mut self.ngrams,
                &mut self.hypothesis,
            );
            for (reference, cosines) in self.words.references().zip(&mut self.cosines) {
                let norm =
                    own * weights.vector(reference, order, &mut self.ngrams, &mut self.reference);
                let (h, r) = (self.hypothesis.iter().copied(), self.reference.iter().copied());
                let dot: f64 = common(h, r).map(|(h, r)| h.min(r) * r).sum();
                cosines[order] = if norm == 0.0 { dot } else { dot / norm };
            }
        }
        let bigrams = |words: &[u32]| words.len().saturating_sub(1) as f64;
        let similarity = |(reference, cosines): (&[u32], &[f64; ORDERS])| {
            // Number of bigrams: what the official scorer adds up as "length".
            let delta = bigrams(&self.words.hypothesis) - bigrams(reference);
            let penalty = libm::exp(-delta * delta / (2.0 * SIGMA * SIGMA));
            penalty * cosines.iter().sum::<f64>() / ORDERS as f64
        };
        let sum = self.words.references().zip(&self.cosines).map(similarity).sum::<f64>();
        // A sum of nothing is -0.0 in Rust; with + 0.0 it is 0.
        10.0 * sum / self.cosines.len().max(1) as f64 + 0.0
    }
}

/// CIDEr of each caption, from 0 to 10 (papers print 100 times the mean); the corpus score is their
/// mean.
///
/// The document frequencies come from `references` themselves, so scores of different image sets
/// are not comparable, and a single image always scores 0. Formula: pycocoevalcap 1.2.
///
/// ```
/// use toolkit_metrics::{cider, tokenize};
///
/// let references = [
///     vec![tokenize("a brown dog on the grass")],
///     vec![tokenize("two red buses in a street")],
/// ];
/// let captions = [tokenize("a brown dog on the grass"), tokenize("a cat")];
/// let scores = cider(&captions, &references);
/// assert!((scores[0] - 10.0).abs() < 1e-9);
/// // The only shared word is in every image, so it weighs nothing.
/// assert_eq!(scores[1], 0.0);
/// ```
///
/// # Panics
/// If `hypotheses` and `references` differ in length.
#[must_use]
pub fn cider(hypotheses: &[Vec<String>], references: &[Vec<Vec<String>>]) -> Vec<f64> {
    CaptionTokens::of_tokens(hypotheses, references).cider(&|_| {}).per_image
}

impl CaptionTokens {
    /// CIDEr of each caption; see [`cider`]. Says how many more images are scored.
    #[must_use]
    pub fn cider(&self, advance: Advance<'_>) -> Cider {
        let weights = std::array::from_fn(|order| Weights::new(self, order));
        let one = |scratch: &mut Scratch, image: usize| scratch.score(self, &weights, image);
        Cider {
            per_image: with_scratch(self.len(), one, advance),
            weightless: weights.iter().all(|weights| weights.none),
        }
    }
}
