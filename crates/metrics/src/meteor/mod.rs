//! METEOR 1.5 as pycocoevalcap 1.2 runs it: English, `-norm`, the ranking task, through `-stdio`.
//!
//! Scores are those of the jar (BLIP-2 specification, section 8.3). The tables (WordNet,
//! paraphrases, function words) are not part of this program: [`Meteor::open`] reads them from a
//! folder of the Python package.

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

use crate::captions::corpus::CaptionTokens;
use crate::captions::vocabulary::Vocabulary;
use crate::parallel::{Advance, with_scratch};
pub use error::MeteorError;
use lexicon::Lexicon;
use matcher::Matches;
use paraphrases::Paraphrases;
use statistics::Statistics;
use tables::Tables;

/// The metric with its tables: WordNet, read once, and of the paraphrases what the texts so far
/// needed.
///
/// May be shared by threads.
pub struct Meteor {
    tables: Tables,
}

/// Scores of [`Meteor::score`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MeteorScores {
    /// The score of the corpus, from counts added over segments: not the mean of `each`. `None` if
    /// there is no segment, or one is too long.
    pub overall: Option<f64>,
    /// The score of each segment with its best reference, 0 to 1; NaN if it is too long.
    pub each: Vec<f64>,
}

impl Meteor {
    /// Reads the tables from the folder of the Python package pycocoevalcap 1.2:
    /// `meteor/meteor-1.5.jar` and `meteor/data/paraphrase-en.gz` below `folder`.
    ///
    /// # Errors
    /// If a file is missing, damaged or not of its form.
    pub fn open(folder: &Path) -> Result<Self, MeteorError> {
        Ok(Self { tables: Tables::open(folder)? })
    }

    /// A metric that needs no table: words match if they or their stems are the same, there are no
    /// function words, and every full stop is parted from a word that a capital follows.
    ///
    /// The scores are not METEOR's and must be shown under another name, `METEOR-exact-stem`.
    #[must_use]
    pub fn without_tables() -> Self {
        Self { tables: Tables::default() }
    }

    /// Returns `true` if there are tables, so that scores are METEOR's.
    #[must_use]
    pub fn has_tables(&self) -> bool {
        self.tables.is_whole()
    }

    /// Scores PTB-tokenised hypotheses, one for each image, against the references of the image.
    /// Runs in parallel; the result does not depend on the number of threads.
    ///
    /// A reference with `|||` in it is two references, and an image without any
    /// has one, empty. Line ends within a token, which a tokeniser never leaves, count as blanks.
    ///
    /// The file of paraphrases is read, which takes a second or two, when a word is new to this
    /// `Meteor`.
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
        self.score_tokens(&CaptionTokens::of_tokens(hypotheses, references), &|_| {})
    }

    /// Scores captions, see [`Meteor::score`]. Says how many more images are read, and then how
    /// many are scored.
    ///
    /// # Errors
    /// If the file of paraphrases cannot be read or is damaged.
    pub fn score_tokens(
        &self,
        tokens: &CaptionTokens,
        advance: Advance<'_>,
    ) -> Result<MeteorScores, MeteorError> {
        let read = |image: usize, put: &mut dyn FnMut(&str)| self.read(tokens, image, put);
        let (vocabulary, texts) = Vocabulary::number(tokens.len(), read, advance);
        let mut lexicon = Lexicon::of(vocabulary, &self.tables);
        let paraphrases = self.tables.paraphrases(lexicon.texts())?;
        lexicon.find_in(&paraphrases);
        let between = lexicon.find(BETWEEN);
        let one =
            |(): &mut (), image: usize| best(texts.get(image), between, &lexicon, &paraphrases);
        let statistics = with_scratch(tokens.len(), one, advance);
        let mut total = (!tokens.is_empty()).then(Statistics::default);
        for segment in &statistics {
            total = total.zip(segment.as_ref()).map(|(mut total, segment)| {
                total.add(segment);
                total
            });
        }
        let score =
            |segment: Option<Statistics>| segment.map_or(f64::NAN, |segment| segment.score());
        Ok(MeteorScores {
            overall: total.map(|total| total.score()),
            each: statistics.into_iter().map(score).collect(),
        })
    }

    /// The line that pycocoevalcap sends, parted and normalised as the jar does: words of the
    /// hypothesis, and behind
    /// [`BETWEEN`] those of each reference.
    fn read(&self, tokens: &CaptionTokens, image: usize, put: &mut dyn FnMut(&str)) {
        let words = |text: &str, put: &mut dyn FnMut(&str)| {
            java::tokens(&normaliser::normal(java::trim(text), &self.tables.prefixes))
                .for_each(put);
        };
        let hypothesis = tokens.caption(image).replace("|||", "").replace("  ", " ");
        words(&format!(" {hypothesis}"), put);
        let references: Vec<String> =
            tokens.references(image).map(|reference| tokens.text(reference)).collect();
        let references = format!(" {} ", references.join(" ||| "));
        for reference in references.split("|||") {
            put(BETWEEN);
            words(reference, put);
        }
    }
}

/// Stands before each reference; no word has a line end.
const BETWEEN: &str = "\n";

/// The counts with the reference that scores best; the first of equals. `None` if the texts are too
/// long.
fn best(
    text: &[u32],
    between: Option<u32>,
    lexicon: &Lexicon,
    paraphrases: &Paraphrases,
) -> Option<Statistics> {
    let mut texts = text.split(|&word| Some(word) == between);
    let hypothesis = lexicon.sentence(texts.next().unwrap_or_default(), paraphrases);
    let mut best: Option<(f64, Statistics)> = None;
    for reference in texts {
        let reference = lexicon.sentence(reference, paraphrases);
        let matches = Matches::of(&hypothesis, &reference, lexicon, paraphrases)?;
        let statistics =
            Statistics::of(&hypothesis, &reference, &aligner::align(&matches), lexicon);
        let score = statistics.score();
        if best.as_ref().is_none_or(|(highest, _)| score > *highest) {
            best = Some((score, statistics));
        }
    }
    Some(best.map(|(_, statistics)| statistics).unwrap_or_default())
}
