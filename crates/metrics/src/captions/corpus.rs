//! Captions of images with their references as tokens: what every caption metric is computed from.

use crate::captions::vocabulary::{Sentences, Vocabulary};
use crate::parallel::Advance;
use crate::ptb::tokens_of_all;

/// Tokenised captions, one for each image, and the references of each image.
///
/// Tokens are numbers, so that a million captions take a few bytes for each word.
pub struct CaptionTokens {
    pub(crate) vocabulary: Vocabulary,
    pub(crate) hypotheses: Sentences,
    references: Sentences,
    /// The first reference behind those of each image.
    ends: Vec<u32>,
}

impl CaptionTokens {
    /// Tokenises as the official tool does (see [`crate::tokenize_all`]), captions and references
    /// in the order in which it would write them to a file each.
    ///
    /// # Panics
    /// If `captions` and `references` differ in length.
    #[must_use]
    pub fn of(captions: &[String], references: &[Vec<String>]) -> Self {
        Self::of_with(captions, references, &|_| {})
    }

    /// Tokenises as [`CaptionTokens::of`] does, and reports how many more captions and references
    /// are read.
    ///
    /// # Panics
    /// If `captions` and `references` differ in length.
    #[must_use]
    pub fn of_with(captions: &[String], references: &[Vec<String>], advance: Advance<'_>) -> Self {
        check_paired(captions.len(), references.len());
        let hypotheses = tokens_of_all(captions);
        let flat: Vec<&str> = references.iter().flatten().map(String::as_str).collect();
        let count = captions.len() + flat.len();
        let flat = tokens_of_all(&flat);
        let tokens = |at: usize, put: &mut dyn FnMut(&str)| {
            let put = &mut |token: String| put(&token);
            if at < captions.len() { hypotheses(at, put) } else { flat(at - captions.len(), put) }
        };
        let numbered = Vocabulary::number(count, tokens, advance);
        Self::joined(numbered, captions.len(), references.iter().map(Vec::len))
    }

    /// Captions and references that are tokenised already.
    ///
    /// # Panics
    /// If `hypotheses` and `references` differ in length.
    #[must_use]
    pub fn of_tokens(hypotheses: &[Vec<String>], references: &[Vec<Vec<String>>]) -> Self {
        check_paired(hypotheses.len(), references.len());
        let all: Vec<&Vec<String>> = hypotheses.iter().chain(references.iter().flatten()).collect();
        let tokens =
            |at: usize, put: &mut dyn FnMut(&str)| all[at].iter().for_each(|token| put(token));
        let numbered = Vocabulary::number(all.len(), tokens, &|_| {});
        Self::joined(numbered, hypotheses.len(), references.iter().map(Vec::len))
    }

    fn joined(
        (vocabulary, mut hypotheses): (Vocabulary, Sentences),
        images: usize,
        references: impl Iterator<Item = usize>,
    ) -> Self {
        let own = hypotheses.split_off(images);
        let mut end = 0;
        let ends = references.map(|count| {
            end += count as u32;
            end
        });
        Self { vocabulary, hypotheses, references: own, ends: ends.collect() }
    }

    /// The number of images.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns `true` if there is no image.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Joins the tokens of an image's caption with blanks.
    #[must_use]
    pub fn caption(&self, image: usize) -> String {
        self.text(self.hypotheses.get(image))
    }

    /// The references of an image.
    pub(crate) fn references(&self, image: usize) -> impl Iterator<Item = &[u32]> + Clone {
        let start = if image == 0 { 0 } else { self.ends[image - 1] };
        (start..self.ends[image]).map(|at| self.references.get(at as usize))
    }

    /// Tokens with a blank between two.
    pub(crate) fn text(&self, tokens: &[u32]) -> String {
        let mut text = String::with_capacity(8 * tokens.len());
        for (at, &token) in tokens.iter().enumerate() {
            if at > 0 {
                text.push(' ');
            }
            text.push_str(self.vocabulary.text(token));
        }
        text
    }
}

/// The words of one image's texts, as BLEU and CIDEr count them: the official scorers split tokens
/// again, at the no-break spaces that a few have.
#[derive(Default)]
pub(crate) struct ImageWords {
    pub(crate) hypothesis: Vec<u32>,
    /// Those of all references, and where each ends.
    words: Vec<u32>,
    ends: Vec<usize>,
    one: Vec<u32>,
}

impl ImageWords {
    /// Reads an image in place of the last.
    pub(crate) fn read(&mut self, corpus: &CaptionTokens, image: usize) {
        corpus.vocabulary.words(corpus.hypotheses.get(image), &mut self.hypothesis);
        self.words.clear();
        self.ends.clear();
        for reference in corpus.references(image) {
            corpus.vocabulary.words(reference, &mut self.one);
            self.words.extend(&self.one);
            self.ends.push(self.words.len());
        }
    }

    /// The words of each reference.
    pub(crate) fn references(&self) -> impl Iterator<Item = &[u32]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.words[start..end])
    }
}

/// Checks that a corpus pairs every hypothesis with its references.
///
/// # Panics
/// If it does not: scores of captions against the wrong image would look like plausible results.
pub(crate) fn check_paired(hypotheses: usize, references: usize) {
    assert_eq!(hypotheses, references, "one list of references per hypothesis is needed");
}
