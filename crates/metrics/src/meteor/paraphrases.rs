//! The paraphrase table: which phrase may stand for which other one.
//!
//! The file is gzip, 62 MB, of 5.3 million triples of lines: a probability (unused), a phrase, a
//! paraphrase of it. Only those entries are stored whose words all occur in the texts to score, for
//! no other one can match: a tree of phrases, and for every phrase the sorted numbers of its
//! paraphrases with their rank in the file, for order decides between equal alignments. So reading
//! takes little longer than inflating, and a few MB of memory.

use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};

use super::error::MeteorError;
use super::fast_hash::FastMap;

/// The number of a phrase: its node in the tree.
pub type Phrase = u32;

/// A phrase of the table that occurs in a sentence.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// First word.
    pub start: u32,
    /// Number of words.
    pub length: u32,
    /// Number of the phrase.
    pub phrase: Phrase,
}

/// The part of the table in memory that some words need; the default needs none.
#[derive(Default)]
pub struct Paraphrases {
    /// These words, numbered.
    words: FastMap<Box<[u8]>, u32>,
    /// The node below a node (upper half of the key) for a word (lower half).
    below: FastMap<u64, Phrase>,
    /// Start of the paraphrases of each phrase.
    offsets: Vec<u32>,
    /// Sorted for every phrase: a paraphrase, its rank in the file.
    pairs: Vec<(Phrase, u32)>,
}

const CHUNK: usize = 1 << 20;

impl Paraphrases {
    /// Reads from `paraphrase-en.gz` what `words` need: one thread inflates, this one parses.
    pub fn read(file: &Path, words: &[String]) -> Result<Self, MeteorError> {
        let io = |source| MeteorError::Io { file: file.to_owned(), source };
        let compressed = toolkit_system::input::open(file).map_err(io)?;
        std::thread::scope(|scope| {
            let (sender, receiver) = sync_channel(8);
            scope.spawn(move || {
                let mut reader =
                    flate2::read::MultiGzDecoder::new(std::io::BufReader::new(compressed));
                loop {
                    let mut chunk = Vec::with_capacity(CHUNK);
                    let result = reader.by_ref().take(CHUNK as u64).read_to_end(&mut chunk);
                    let last = !matches!(result, Ok(count) if count > 0);
                    // An error ends the parser, which then listens no more.
                    if sender.send(result.map(|_| chunk)).is_err() || last {
                        break;
                    }
                }
            });
            let mut builder = Builder::default();
            for word in words {
                let number = builder.table.words.len() as u32;
                builder.table.words.entry(word.as_bytes().into()).or_insert(number);
            }
            builder.read(&receiver).map_err(io)
        })
    }

    /// Was the table read for these words?
    pub fn covers<'a>(&self, mut words: impl Iterator<Item = &'a str>) -> bool {
        words.all(|word| self.words.contains_key(word.as_bytes()))
    }

    /// The words that the table was read for.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.words.keys().filter_map(|word| std::str::from_utf8(word).ok())
    }

    /// The number of a word, if the table was read for it.
    pub fn word(&self, word: &str) -> Option<u32> {
        self.words.get(word.as_bytes()).copied()
    }

    /// Lists the phrases of the table in a sentence of word numbers, by start, then length.
    pub fn spans(&self, sentence: &[Option<u32>]) -> Vec<Span> {
        let mut spans = Vec::new();
        for start in 0..sentence.len() {
            let mut phrase = 0;
            for (at, word) in sentence[start..].iter().enumerate() {
                let Some(next) = word.and_then(|word| self.below.get(&key(phrase, word))) else {
                    break;
                };
                phrase = *next;
                spans.push(Span { start: start as u32, length: at as u32 + 1, phrase });
            }
        }
        spans
    }

    /// The paraphrases of a phrase, sorted, with their ranks in the file.
    pub fn of(&self, phrase: Phrase) -> &[(Phrase, u32)] {
        let at = phrase as usize;
        match self.offsets.get(at..at + 2) {
            Some(&[start, end]) => &self.pairs[start as usize..end as usize],
            _ => &[],
        }
    }
}

fn key(node: Phrase, word: u32) -> u64 {
    u64::from(node) << 32 | u64::from(word)
}

/// The table under way.
#[derive(Default)]
struct Builder {
    table: Paraphrases,
    pairs: Vec<(Phrase, Phrase)>,
    /// Lines stand in threes.
    lines: usize,
    /// The last phrase, if all its words are known, and its text.
    phrase: Option<Phrase>,
    text: Vec<u8>,
    numbers: Vec<u32>,
}

impl Builder {
    fn read(mut self, chunks: &Receiver<std::io::Result<Vec<u8>>>) -> std::io::Result<Paraphrases> {
        let mut begun = Vec::new();
        while let Ok(chunk) = chunks.recv() {
            let chunk = chunk?;
            let Some(first) = chunk.iter().position(|&byte| byte == b'\n') else {
                begun.extend(chunk);
                continue;
            };
            begun.extend(&chunk[..first]);
            self.line(&begun)?;
            let mut start = first + 1;
            while let Some(length) = chunk[start..].iter().position(|&byte| byte == b'\n') {
                self.line(&chunk[start..start + length])?;
                start += length + 1;
            }
            begun.clear();
            begun.extend(&chunk[start..]);
        }
        if !begun.is_empty() {
            self.line(&begun)?;
        }
        self.finish()
    }

    fn line(&mut self, line: &[u8]) -> std::io::Result<()> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match self.lines % 3 {
            0 => {}
            // The paraphrases of a phrase stand together.
            1 => {
                if self.lines == 1 || line != self.text {
                    self.phrase = self.phrase(line);
                    line.clone_into(&mut self.text);
                }
            }
            _ => {
                if let Some(phrase) = self.phrase
                    && let Some(paraphrase) = self.phrase(line)
                {
                    self.pairs.push((phrase, paraphrase));
                }
            }
        }
        self.lines += 1;
        if self.pairs.len() > u32::MAX as usize {
            return Err(std::io::Error::new(
                ErrorKind::InvalidData,
                "more than 4 thousand million paraphrases",
            ));
        }
        Ok(())
    }

    /// The number of a phrase; none if it has an unknown word, or no word, which stands for
    /// nothing.
    fn phrase(&mut self, text: &[u8]) -> Option<Phrase> {
        self.numbers.clear();
        for word in text
            .split(|&byte| matches!(byte, b' ' | b'\t' | b'\x0c'))
            .filter(|word| !word.is_empty())
        {
            self.numbers.push(*self.table.words.get(word)?);
        }
        let mut phrase = 0;
        for &number in &self.numbers {
            let next = self.table.below.len() as u32 + 1;
            phrase = *self.table.below.entry(key(phrase, number)).or_insert(next);
        }
        (phrase != 0).then_some(phrase)
    }

    fn finish(mut self) -> std::io::Result<Paraphrases> {
        if !self.lines.is_multiple_of(3) {
            let reason = format!("{} lines, which is no multiple of three", self.lines);
            return Err(std::io::Error::new(ErrorKind::InvalidData, reason));
        }
        let phrases = self.table.below.len() + 1;
        let mut offsets = vec![0u32; phrases + 1];
        for &(phrase, _) in &self.pairs {
            offsets[phrase as usize + 1] += 1;
        }
        for phrase in 0..phrases {
            offsets[phrase + 1] += offsets[phrase];
        }
        let mut next = offsets.clone();
        let mut pairs = vec![(0, 0); self.pairs.len()];
        for &(phrase, paraphrase) in &self.pairs {
            let at = next[phrase as usize];
            next[phrase as usize] += 1;
            pairs[at as usize] = (paraphrase, at - offsets[phrase as usize]);
        }
        for phrase in 0..phrases {
            pairs[offsets[phrase] as usize..offsets[phrase + 1] as usize].sort_unstable();
        }
        self.table.offsets = offsets;
        self.table.pairs = pairs;
        Ok(self.table)
    }
}
