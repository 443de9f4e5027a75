//! Counting n-grams, shared by BLEU and CIDEr.

use crate::parallel::collect;
use std::collections::HashMap;

/// Longest n-gram that either metric looks at.
pub(crate) const ORDERS: usize = 4;

/// An n-gram as the numbers of its words, 32 bits each, the first word highest.
pub(crate) type Ngram = u128;

/// How often each n-gram of one caption occurs, for n = 1..=4, in order of the n-grams.
pub(crate) struct Counts {
    /// The number of words.
    pub length: usize,
    /// Index 0 holds the single words.
    pub orders: [Vec<(Ngram, u32)>; ORDERS],
}

/// The counts of a set of captions and of their references.
pub(crate) struct Corpus {
    pub hypotheses: Vec<Counts>,
    pub references: Vec<Vec<Counts>>,
}

impl Corpus {
    /// Counts all captions, in parallel.
    ///
    /// Words are numbered in alphabetical order, so that sums over n-grams do not depend on the order of images.
    ///
    /// # Panics
    /// If `hypotheses` and `references` differ in length.
    pub(crate) fn new(hypotheses: &[Vec<String>], references: &[Vec<Vec<String>>]) -> Self {
        check_paired(hypotheses.len(), references.len());
        let captions = || hypotheses.iter().chain(references.iter().flatten());
        let mut numbers: HashMap<&str, u32> = captions().flat_map(|caption| words(caption)).map(|w| (w, 0)).collect();
        let mut sorted: Vec<&str> = numbers.keys().copied().collect();
        sorted.sort_unstable();
        for (number, word) in (0..).zip(sorted) {
            numbers.insert(word, number);
        }
        let count = |caption: &Vec<String>| Counts::of(&words(caption).map(|w| numbers[w]).collect::<Vec<_>>());
        Self {
            hypotheses: collect(hypotheses.len(), |image| count(&hypotheses[image])),
            references: collect(references.len(), |image| references[image].iter().map(count).collect()),
        }
    }
}

impl Counts {
    fn of(words: &[u32]) -> Self {
        let orders = std::array::from_fn(|order| {
            let number = |window: &[u32]| window.iter().fold(0, |ngram, &word| ngram << 32 | Ngram::from(word));
            let mut ngrams: Vec<Ngram> = words.windows(order + 1).map(number).collect();
            ngrams.sort_unstable();
            ngrams.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as u32)).collect()
        });
        Self { length: words.len(), orders }
    }
}

/// The words of a caption: the official scorers split tokens again, at the no-break spaces that a few have.
fn words(caption: &[String]) -> impl Iterator<Item = &str> {
    caption.iter().flat_map(|token| token.split_whitespace())
}

/// The values of the n-grams that are in both lists, which are in order of the n-grams.
pub(crate) fn common<'a, A: Copy, B: Copy>(
    a: &'a [(Ngram, A)],
    b: &'a [(Ngram, B)],
) -> impl Iterator<Item = (A, B)> + use<'a, A, B> {
    let mut b = b.iter().peekable();
    a.iter().filter_map(move |&(ngram, value)| {
        while b.next_if(|other| other.0 < ngram).is_some() {}
        b.peek().filter(|other| other.0 == ngram).map(|other| (value, other.1))
    })
}

/// Checks that a corpus pairs every hypothesis with its references.
///
/// # Panics
/// If it does not: scores of captions against the wrong image would look like plausible results.
pub(crate) fn check_paired(hypotheses: usize, references: usize) {
    assert_eq!(hypotheses, references, "one list of references per hypothesis is needed");
}
