//! METEOR 1.5 as pycocoevalcap 1.2 runs it: English, `-norm`, the ranking task, through `-stdio`.
//!
//! Scores are those of the jar (BLIP-2 specification, section 8.3). The tables (WordNet, paraphrases, function words)
//! are not part of this program: [`Meteor::open`] reads them from a folder of the Python package.

mod aligner;
mod bits;
mod error;
mod fast_hash;
mod java;
mod lexicon;
mod matcher;
mod normaliser;
mod paraphrases;
mod statistics;
mod stemmer;
mod synonyms;
mod tables;
#[cfg(test)]
mod tests;

use std::path::Path;

use rayon::prelude::*;

pub use error::MeteorError;
use lexicon::Lexicon;
use matcher::Matches;
use paraphrases::Paraphrases;
use statistics::Statistics;
use tables::Tables;

/// The metric with its tables: WordNet, read once, and of the paraphrases what the texts so far needed.
///
/// May be shared by threads.
pub struct Meteor {
    tables: Tables,
}

/// What [`Meteor::score`] finds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MeteorScores {
    /// The score of the corpus, from counts added over segments: not the mean of `each`. 0 if there is no segment.
    pub overall: f64,
    /// The score of each segment with its best reference, 0 to 1.
    pub each: Vec<f64>,
}

impl Meteor {
    /// Reads the tables from the folder of the Python package pycocoevalcap 1.2: `meteor/meteor-1.5.jar` and
    /// `meteor/data/paraphrase-en.gz` below `folder`.
    ///
    /// # Errors
    /// If a file is missing, damaged or not of its form.
    pub fn open(folder: &Path) -> Result<Self, MeteorError> {
        Ok(Self { tables: Tables::open(folder)? })
    }

    /// A metric that needs no table: words match if they or their stems are the same, there are no function words,
    /// and every full stop is parted from a word that a capital follows.
    ///
    /// Its scores are not METEOR's and must be shown under another name, `METEOR-exact-stem`.
    #[must_use]
    pub fn without_tables() -> Self {
        Self { tables: Tables::default() }
    }

    /// Whether it has tables, and its scores are METEOR's.
    #[must_use]
    pub fn has_tables(&self) -> bool {
        self.tables.is_whole()
    }

    /// Scores PTB-tokenised hypotheses, one for each image, against the references of the image. Runs in parallel;
    /// the result does not depend on the number of threads.
    ///
    /// As in the original, a reference with `|||` in it is two references, and an image without any has one, empty.
    /// Line ends within a token, which a tokeniser never leaves, count as blanks.
    ///
    /// The file of paraphrases is read, which takes a second or two, when a word is new to this `Meteor`.
    ///
    /// # Errors
    /// If the file of paraphrases cannot be read or is damaged.
    ///
    /// # Panics
    /// If `hypotheses` and `references` differ in length.
    pub fn score(
        &self,
        hypotheses: &[Vec<String>],
        references: &[Vec<Vec<String>>],
    ) -> Result<MeteorScores, MeteorError> {
        assert_eq!(hypotheses.len(), references.len(), "one list of references for each hypothesis");
        let pairs = hypotheses.par_iter().zip(references);
        let texts: Vec<Segment> = pairs.map(|(hypothesis, references)| self.read(hypothesis, references)).collect();
        let sentences = texts.iter().flat_map(|text| text.references.iter().chain([&text.hypothesis]));
        let lexicon = Lexicon::of(sentences, &self.tables);
        let paraphrases = self.tables.paraphrases(lexicon.texts())?;
        let best = texts.par_iter().map(|text| best(text, &lexicon, &paraphrases));
        let statistics: Vec<Statistics> = best.collect();
        if statistics.is_empty() {
            return Ok(MeteorScores::default());
        }
        let mut total = Statistics::default();
        statistics.iter().for_each(|segment| total.add(segment));
        Ok(MeteorScores { overall: total.score(), each: statistics.iter().map(Statistics::score).collect() })
    }

    /// The line that pycocoevalcap sends, parted and normalised as the jar does.
    fn read(&self, hypothesis: &[String], references: &[Vec<String>]) -> Segment {
        let words = |text: &str| normaliser::words(java::trim(text), &self.tables.prefixes);
        let hypothesis = hypothesis.join(" ").replace("|||", "").replace("  ", " ");
        let references: Vec<String> = references.iter().map(|reference| reference.join(" ")).collect();
        let references = format!(" {} ", references.join(" ||| "));
        Segment {
            hypothesis: words(&format!(" {hypothesis}")),
            references: references.split("|||").map(words).collect(),
        }
    }
}

/// A hypothesis and its references.
struct Segment {
    hypothesis: Vec<String>,
    references: Vec<Vec<String>>,
}

/// The counts with the reference that scores best; the first of equals.
fn best(text: &Segment, lexicon: &Lexicon, paraphrases: &Paraphrases) -> Statistics {
    let hypothesis = lexicon.sentence(&text.hypothesis, paraphrases);
    let mut best: Option<(f64, Statistics)> = None;
    for reference in &text.references {
        let reference = lexicon.sentence(reference, paraphrases);
        let matches = Matches::of(&hypothesis, &reference, lexicon, paraphrases);
        let statistics = Statistics::of(&hypothesis, &reference, &aligner::align(&matches), lexicon);
        let score = statistics.score();
        if best.as_ref().is_none_or(|(highest, _)| score > *highest) {
            best = Some((score, statistics));
        }
    }
    best.map(|(_, statistics)| statistics).unwrap_or_default()
}
