//! Matches of words and phrases of a hypothesis with those of a reference.
//!
//! Order matters twice: modules run in turn, and the aligner keeps the first of equal alignments.

use super::lexicon::{Lexicon, Sentence};
use super::paraphrases::{Paraphrases, Span};

/// The modules: exact, stem, synonym, paraphrase.
pub const MODULES: usize = 4;

/// Most pairs of words, or of phrases, of a hypothesis and a reference that are compared. Both
/// would have 8,000 words.
const MOST_PAIRS: usize = 1 << 26;

/// Most matches among them: the search looks at each some forty times.
const MOST_MATCHES: usize = 1 << 21;

/// Some words of the hypothesis against some of the reference.
#[derive(Clone, Copy, Debug)]
pub struct Match {
    /// Module that found it.
    pub module: usize,
    /// First word in the reference.
    pub start: usize,
    /// Words in the reference.
    pub length: usize,
    /// First word in the hypothesis.
    pub hypothesis_start: usize,
    /// Words in the hypothesis.
    pub hypothesis_length: usize,
}

/// Matches of a pair of sentences.
pub struct Matches {
    /// By first word in the reference, in the order of discovery.
    pub at: Vec<Vec<Match>>,
    /// Number of matches that cover each word of the hypothesis.
    pub hypothesis_coverage: Vec<u32>,
    /// Number of matches that cover each word of the reference.
    pub reference_coverage: Vec<u32>,
    /// Number of all matches.
    count: usize,
}

impl Matches {
    /// Runs all modules; only the exact one if both sentences are the same. `None` if the sentences
    /// are so long and alike that a search would take minutes and gigabytes.
    pub fn of(
        hypothesis: &Sentence<'_>,
        reference: &Sentence<'_>,
        lexicon: &Lexicon,
        paraphrases: &Paraphrases,
    ) -> Option<Self> {
        let most = |a: usize, b: usize| a.saturating_mul(b) <= MOST_PAIRS;
        if !most(hypothesis.words.len(), reference.words.len())
            || !most(hypothesis.spans.len(), reference.spans.len())
        {
            return None;
        }
        let mut matches = Self::none(hypothesis.words.len(), reference.words.len());
        let hash = |word: &u32| lexicon.word(*word).hash;
        let same = hypothesis.words.iter().map(hash).eq(reference.words.iter().map(hash));
        matches
            .words(0, hypothesis, reference, |h, r| lexicon.word(h).hash == lexicon.word(r).hash)?;
        if same {
            return Some(matches);
        }
        matches.words(1, hypothesis, reference, |h, r| {
            let (h, r) = (lexicon.word(h), lexicon.word(r));
            h.stem == r.stem && h.hash != r.hash
        })?;
        matches.words(2, hypothesis, reference, |h, r| {
            let (h, r) = (lexicon.word(h), lexicon.word(r));
            share(&h.sets, &r.sets) && h.hash != r.hash
        })?;
        matches.phrases(hypothesis, reference, paraphrases)?;
        Some(matches)
    }

    /// No matches of sentences of so many words.
    pub(super) fn none(hypothesis: usize, reference: usize) -> Self {
        Self {
            at: vec![Vec::new(); reference],
            hypothesis_coverage: vec![0; hypothesis],
            reference_coverage: vec![0; reference],
            count: 0,
        }
    }

    /// Adds a match; `None` if there are too many.
    pub(super) fn add(&mut self, found: Match) -> Option<()> {
        self.count += 1;
        let hypothesis = found.hypothesis_start..found.hypothesis_start + found.hypothesis_length;
        self.hypothesis_coverage[hypothesis].iter_mut().for_each(|count| *count += 1);
        self.reference_coverage[found.start..found.start + found.length]
            .iter_mut()
            .for_each(|count| *count += 1);
        self.at[found.start].push(found);
        (self.count <= MOST_MATCHES).then_some(())
    }

    fn words(
        &mut self,
        module: usize,
        hypothesis: &Sentence<'_>,
        reference: &Sentence<'_>,
        equal: impl Fn(u32, u32) -> bool,
    ) -> Option<()> {
        for (start, &r) in reference.words.iter().enumerate() {
            for (hypothesis_start, &h) in hypothesis.words.iter().enumerate() {
                if equal(h, r) {
                    self.add(Match {
                        module,
                        start,
                        length: 1,
                        hypothesis_start,
                        hypothesis_length: 1,
                    })?;
                }
            }
        }
        Some(())
    }

    /// Phrases of the reference that the hypothesis paraphrases, then the other way round.
    fn phrases(
        &mut self,
        hypothesis: &Sentence<'_>,
        reference: &Sentence<'_>,
        paraphrases: &Paraphrases,
    ) -> Option<()> {
        for (r, h) in pairs(&reference.spans, &hypothesis.spans, paraphrases)? {
            self.add(phrase_match(h, r))?;
        }
        for (h, r) in pairs(&hypothesis.spans, &reference.spans, paraphrases)? {
            self.add(phrase_match(h, r))?;
        }
        Some(())
    }
}

fn phrase_match(hypothesis: Span, reference: Span) -> Match {
    Match {
        module: 3,
        start: reference.start as usize,
        length: reference.length as usize,
        hypothesis_start: hypothesis.start as usize,
        hypothesis_length: hypothesis.length as usize,
    }
}

/// Pairs of a phrase of `from` and a paraphrase of it in `to`: by start and length in `from`, then
/// in the order of the table, then by start in `to`. `None` if there are too many.
fn pairs(from: &[Span], to: &[Span], paraphrases: &Paraphrases) -> Option<Vec<(Span, Span)>> {
    let mut pairs = Vec::new();
    let mut found: Vec<(u32, Span)> = Vec::new();
    for &phrase in from {
        let table = paraphrases.of(phrase.phrase);
        if table.is_empty() {
            continue;
        }
        found.clear();
        for &paraphrase in to {
            let first = table.partition_point(|&(other, _)| other < paraphrase.phrase);
            let ranks = table[first..].iter().take_while(|&&(other, _)| other == paraphrase.phrase);
            found.extend(ranks.map(|&(_, rank)| (rank, paraphrase)));
        }
        found.sort_unstable_by_key(|&(rank, paraphrase)| (rank, paraphrase.start));
        pairs.extend(found.iter().map(|&(_, paraphrase)| (phrase, paraphrase)));
        if pairs.len() > MOST_MATCHES {
            return None;
        }
    }
    Some(pairs)
}

/// Do two sorted lists share an element?
fn share(a: &[u32], b: &[u32]) -> bool {
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
        match x.cmp(y) {
            std::cmp::Ordering::Less => a.next(),
            std::cmp::Ordering::Greater => b.next(),
            std::cmp::Ordering::Equal => return true,
        };
    }
    false
}
