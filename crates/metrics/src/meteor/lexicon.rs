//! Properties of words that the matchers use, looked up once for each distinct word.

use super::java;
use super::paraphrases::{Paraphrases, Span};
use super::stemmer;
use super::tables::Tables;
use crate::captions::vocabulary::Vocabulary;
use crate::parallel::collect;

/// A word as the matchers see it.
pub struct Word {
    /// Java's hash of it: words with one hash are one word.
    pub hash: i32,
    /// Java's hash of its stem.
    pub stem: i32,
    /// `true` for function words.
    pub function: bool,
    /// Synonym sets, sorted.
    pub sets: Box<[u32]>,
}

/// A sentence: numbers of words in the lexicon, and the phrases in it that have paraphrases or are
/// some.
pub struct Sentence<'a> {
    /// Words.
    pub words: &'a [u32],
    /// Phrases, by start, then length.
    pub spans: Vec<Span>,
}

/// The distinct words of all texts.
pub struct Lexicon {
    vocabulary: Vocabulary,
    words: Vec<Word>,
    /// The number of each word in the table of paraphrases.
    numbers: Vec<Option<u32>>,
}

impl Lexicon {
    /// Looks up every word of `vocabulary`.
    pub fn of(vocabulary: Vocabulary, tables: &Tables) -> Self {
        let look_up = |word: usize| {
            let word = vocabulary.text(word as u32);
            Word {
                hash: java::hash(word.encode_utf16()),
                stem: java::hash(stemmer::stem(word)),
                function: tables.function_words.contains(word),
                sets: tables.synonyms.sets(word),
            }
        };
        Self { words: collect(vocabulary.len(), look_up), numbers: Vec::new(), vocabulary }
    }

    /// A word by its number.
    pub fn word(&self, number: u32) -> &Word {
        &self.words[number as usize]
    }

    /// The number of a word.
    pub fn find(&self, word: &str) -> Option<u32> {
        self.vocabulary.find(word)
    }

    /// Lists all words, in order.
    pub fn texts(&self) -> impl Iterator<Item = &str> + Clone {
        (0..self.words.len()).map(|word| self.vocabulary.text(word as u32))
    }

    /// Looks the words up in a table of paraphrases; before that, no sentence has phrases.
    pub fn find_in(&mut self, paraphrases: &Paraphrases) {
        self.numbers = self.texts().map(|word| paraphrases.word(word)).collect();
    }

    /// A sentence of words of the lexicon.
    pub fn sentence<'a>(&self, words: &'a [u32], paraphrases: &Paraphrases) -> Sentence<'a> {
        let number = |&word: &u32| self.numbers.get(word as usize).copied().flatten();
        let numbers: Vec<Option<u32>> = words.iter().map(number).collect();
        Sentence { words, spans: paraphrases.spans(&numbers) }
    }
}
