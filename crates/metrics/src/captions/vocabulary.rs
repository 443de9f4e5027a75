//! Tokens as numbers: what makes millions of them cheap to hold, compare and count.

use crate::parallel::{Advance, collect};
use std::collections::{HashMap, HashSet};

/// Texts that one thread tokenises in a row.
const CHUNK: usize = 2048;

/// Distinct tokens in alphabetical order, so that sums over them do not depend on the order of
/// images.
#[derive(Default)]
pub(crate) struct Vocabulary {
    texts: Vec<Box<str>>,
    /// The words of the tokens with white space in them, sorted by token: no-break spaces, which
    /// BLEU and CIDEr split at.
    split: Vec<(u32, Vec<u32>)>,
}

/// Texts as numbers of tokens, one after the other.
#[derive(Default)]
pub(crate) struct Sentences {
    tokens: Vec<u32>,
    ends: Vec<u32>,
}

/// Some texts with the tokens that occur in them.
struct Chunk {
    distinct: Vec<String>,
    sentences: Sentences,
}

impl Sentences {
    /// The number of texts.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The tokens of a text.
    pub(crate) fn get(&self, at: usize) -> &[u32] {
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.tokens[start as usize..self.ends[at] as usize]
    }

    /// Cuts behind text `at`.
    pub(crate) fn split_off(&mut self, at: usize) -> Self {
        let tokens = if at == 0 { 0 } else { self.ends[at - 1] };
        let mut ends = self.ends.split_off(at);
        ends.iter_mut().for_each(|end| *end -= tokens);
        Self { tokens: self.tokens.split_off(tokens as usize), ends }
    }
}

impl Vocabulary {
    /// Numbers the tokens of `count` texts: those that `tokens` gives for each.
    pub(crate) fn number<'a>(
        count: usize,
        tokens: impl Fn(usize, &mut dyn FnMut(&str)) + Send + Sync + 'a,
        advance: Advance<'_>,
    ) -> (Self, Sentences) {
        let chunks = count.div_ceil(CHUNK);
        let read =
            |chunk: usize| Chunk::read(chunk * CHUNK..count.min((chunk + 1) * CHUNK), &tokens);
        let mut read_all: Vec<Chunk> = Vec::with_capacity(chunks);
        // A few chunks for each thread at a time, so that progress is seen.
        let step = 4 * rayon::current_num_threads();
        for start in (0..chunks).step_by(step) {
            let end = chunks.min(start + step);
            read_all.extend(in_parallel(end - start, |at| read(start + at)));
            advance(count.min(end * CHUNK) - start * CHUNK);
        }
        Self::join(read_all)
    }

    /// Joins the numberings of all chunks into one.
    fn join(chunks: Vec<Chunk>) -> (Self, Sentences) {
        let mut distinct: HashSet<&str> = HashSet::new();
        for text in chunks.iter().flat_map(|chunk| &chunk.distinct) {
            distinct.insert(text);
            if text.contains(char::is_whitespace) {
                distinct.extend(text.split_whitespace());
            }
        }
        let mut texts: Vec<&str> = distinct.into_iter().collect();
        texts.sort_unstable();
        let texts: Vec<Box<str>> = texts.into_iter().map(Box::from).collect();
        let mut vocabulary = Self { texts, split: Vec::new() };
        vocabulary.split = (vocabulary.texts.iter().enumerate())
            .filter(|(_, text)| text.contains(char::is_whitespace))
            .map(|(token, text)| {
                (
                    token as u32,
                    text.split_whitespace().filter_map(|word| vocabulary.find(word)).collect(),
                )
            })
            .collect();
        let mut all = Sentences::default();
        all.tokens.reserve_exact(chunks.iter().map(|chunk| chunk.sentences.tokens.len()).sum());
        all.ends.reserve_exact(chunks.iter().map(|chunk| chunk.sentences.len()).sum());
        for Chunk { distinct, sentences } in chunks {
            let numbers: Vec<u32> =
                distinct.iter().filter_map(|text| vocabulary.find(text)).collect();
            let before = all.tokens.len() as u32;
            all.tokens.extend(sentences.tokens.iter().map(|&token| numbers[token as usize]));
            all.ends.extend(sentences.ends.iter().map(|end| before + end));
        }
        (vocabulary, all)
    }

    /// The number of a token.
    pub(crate) fn find(&self, text: &str) -> Option<u32> {
        self.texts.binary_search_by(|known| (**known).cmp(text)).ok().map(|at| at as u32)
    }

    /// The number of distinct tokens.
    pub(crate) fn len(&self) -> usize {
        self.texts.len()
    }

    /// A token.
    pub(crate) fn text(&self, token: u32) -> &str {
        &self.texts[token as usize]
    }

    /// The words of a text, as BLEU and CIDEr count them; `words` is what they are written to.
    pub(crate) fn words(&self, tokens: &[u32], words: &mut Vec<u32>) {
        words.clear();
        if self.split.is_empty() {
            return words.extend(tokens);
        }
        for token in tokens {
            match self.split.binary_search_by_key(token, |(split, _)| *split) {
                Ok(at) => words.extend(&self.split[at].1),
                Err(_) => words.push(*token),
            }
        }
    }
}

impl Chunk {
    fn read(texts: std::ops::Range<usize>, tokens: &impl Fn(usize, &mut dyn FnMut(&str))) -> Self {
        let mut numbers: HashMap<String, u32> = HashMap::new();
        let mut sentences = Sentences::default();
        for text in texts {
            tokens(text, &mut |token| {
                let next = numbers.len() as u32;
                let number = match numbers.get(token) {
                    Some(&known) => known,
                    None => *numbers.entry(token.to_owned()).or_insert(next),
                };
                sentences.tokens.push(number);
            });
            sentences.ends.push(sentences.tokens.len() as u32);
        }
        let mut distinct = vec![String::new(); numbers.len()];
        for (text, number) in numbers {
            distinct[number as usize] = text;
        }
        sentences.tokens.shrink_to_fit();
        Self { distinct, sentences }
    }
}

/// [`collect`] of a few large pieces of work.
fn in_parallel<T: Send>(count: usize, of: impl Fn(usize) -> T + Send + Sync) -> Vec<T> {
    use rayon::prelude::*;
    if count < 2 { collect(count, of) } else { (0..count).into_par_iter().map(of).collect() }
}
