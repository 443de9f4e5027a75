//! What matchers need to know of the words of all texts, looked up once for each distinct word.

use std::collections::HashMap;

use rayon::prelude::*;

use super::java;
use super::paraphrases::{Paraphrases, Span};
use super::stemmer;
use super::tables::Tables;

/// A word as the matchers see it.
pub struct Word {
    /// Java's hash of it: words with one hash are one word.
    pub hash: i32,
    /// Java's hash of its stem.
    pub stem: i32,
    /// Is it a function word?
    pub function: bool,
    /// Its synonym sets, sorted.
    pub sets: Box<[u32]>,
}

/// A sentence: numbers of words in the lexicon, and the phrases in it that have paraphrases or are some.
pub struct Sentence {
    /// Words.
    pub words: Vec<u32>,
    /// Phrases, by start, then length.
    pub spans: Vec<Span>,
}

/// The distinct words of all texts.
pub struct Lexicon {
    numbers: HashMap<String, u32>,
    words: Vec<Word>,
}

impl Lexicon {
    /// Looks up every word of `sentences`.
    pub fn of<'a>(sentences: impl Iterator<Item = &'a Vec<String>>, tables: &Tables) -> Self {
        let mut numbers: HashMap<String, u32> = HashMap::new();
        let mut texts: Vec<&str> = Vec::new();
        for word in sentences.flatten() {
            if !numbers.contains_key(word) {
                numbers.insert(word.clone(), texts.len() as u32);
                texts.push(word);
            }
        }
        let words = texts.par_iter().map(|word| Word {
            hash: java::hash(word.encode_utf16()),
            stem: java::hash(stemmer::stem(word)),
            function: tables.function_words.contains(*word),
            sets: tables.synonyms.sets(word),
        });
        Self { words: words.collect(), numbers }
    }

    /// A word by its number.
    pub fn word(&self, number: u32) -> &Word {
        &self.words[number as usize]
    }

    /// All words, in no order.
    pub fn texts(&self) -> impl Iterator<Item = &str> + Clone {
        self.numbers.keys().map(String::as_str)
    }

    /// A sentence whose words are all in the lexicon.
    pub fn sentence(&self, words: &[String], paraphrases: &Paraphrases) -> Sentence {
        let numbers: Vec<Option<u32>> = words.iter().map(|word| paraphrases.word(word)).collect();
        Sentence { words: words.iter().map(|word| self.numbers[word]).collect(), spans: paraphrases.spans(&numbers) }
    }
}
