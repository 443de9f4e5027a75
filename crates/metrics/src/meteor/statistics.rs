//! The counts behind a score, and the score.

use super::lexicon::{Lexicon, Sentence};
use super::matcher::{MODULES, Match};

const ALPHA: f64 = 0.85;
const BETA: f64 = 0.2;
const GAMMA: f64 = 0.6;
const DELTA: f64 = 0.75;
const WEIGHTS: [f64; MODULES] = [1.0, 0.6, 0.8, 0.6];

/// Counts of one side, the hypothesis or the reference.
#[derive(Clone, Debug, Default)]
struct Side {
    length: f64,
    function_words: f64,
    content_matches: [f64; MODULES],
    function_matches: [f64; MODULES],
}

/// Counts of a segment or, added up, of a corpus.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    hypothesis: Side,
    reference: Side,
    chunks: f64,
}

impl Side {
    fn of(sentence: &Sentence<'_>, lexicon: &Lexicon) -> Self {
        let function_words =
            sentence.words.iter().filter(|&&word| lexicon.word(word).function).count();
        Self {
            length: sentence.words.len() as f64,
            function_words: function_words as f64,
            ..Self::default()
        }
    }

    fn count(&mut self, module: usize, words: &[u32], lexicon: &Lexicon) {
        for &word in words {
            let function = lexicon.word(word).function;
            let matches =
                if function { &mut self.function_matches } else { &mut self.content_matches };
            matches[module] += 1.0;
        }
    }

    fn add(&mut self, other: &Self) {
        self.length += other.length;
        self.function_words += other.function_words;
        for module in 0..MODULES {
            self.content_matches[module] += other.content_matches[module];
            self.function_matches[module] += other.function_matches[module];
        }
    }

    fn matches(&self) -> f64 {
        self.content_matches.iter().chain(&self.function_matches).sum()
    }

    /// Precision, or recall. NaN for an empty sentence.
    fn share(&self) -> f64 {
        let length =
            DELTA * (self.length - self.function_words) + (1.0 - DELTA) * self.function_words;
        let mut matches = 0.0;
        for (count, weight) in self.content_matches.iter().zip(WEIGHTS) {
            matches += count * weight * DELTA;
        }
        for (count, weight) in self.function_matches.iter().zip(WEIGHTS) {
            matches += count * weight * (1.0 - DELTA);
        }
        matches / length
    }
}

impl Statistics {
    /// Counts of an alignment.
    pub fn of(
        hypothesis: &Sentence<'_>,
        reference: &Sentence<'_>,
        alignment: &[Option<Match>],
        lexicon: &Lexicon,
    ) -> Self {
        let mut statistics = Self {
            hypothesis: Side::of(hypothesis, lexicon),
            reference: Side::of(reference, lexicon),
            chunks: chunks(alignment),
        };
        for found in alignment.iter().flatten() {
            let words = &hypothesis.words
                [found.hypothesis_start..found.hypothesis_start + found.hypothesis_length];
            statistics.hypothesis.count(found.module, words, lexicon);
            let words = &reference.words[found.start..found.start + found.length];
            statistics.reference.count(found.module, words, lexicon);
        }
        statistics
    }

    /// Adds a segment. One that matches in full adds no chunk.
    pub fn add(&mut self, other: &Self) {
        self.hypothesis.add(&other.hypothesis);
        self.reference.add(&other.reference);
        if !other.is_full() {
            self.chunks += other.chunks;
        }
    }

    fn is_full(&self) -> bool {
        let full = |side: &Side| side.matches() == side.length;
        full(&self.hypothesis) && full(&self.reference) && self.chunks == 1.0
    }

    /// The score, 0 to 1.
    pub fn score(&self) -> f64 {
        let (precision, recall) = (self.hypothesis.share(), self.reference.share());
        let mean = 1.0 / ((1.0 - ALPHA) / precision + ALPHA / recall);
        let fragmentation = if self.is_full() {
            0.0
        } else {
            self.chunks / ((self.hypothesis.matches() + self.reference.matches()) / 2.0)
        };
        let score = mean * (1.0 - GAMMA * libm::pow(fragmentation, BETA));
        // Nothing matched, or nothing was there: 0/0.
        if score.is_nan() { 0.0 } else { score.max(0.0) }
    }
}

/// Runs of matches that are neighbours on both sides.
fn chunks(alignment: &[Option<Match>]) -> f64 {
    let mut chunks = 0;
    let mut last_end = None;
    let mut at = 0;
    while at < alignment.len() {
        match alignment[at] {
            Some(found) => {
                chunks += usize::from(last_end.is_some_and(|end| end != found.hypothesis_start));
                at = found.start + found.length;
                last_end = Some(found.hypothesis_start + found.hypothesis_length);
            }
            None => {
                chunks += usize::from(last_end.take().is_some());
                at += 1;
            }
        }
    }
    (chunks + usize::from(last_end.is_some())) as f64
}
