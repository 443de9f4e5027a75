//! Counting n-grams, shared by BLEU and CIDEr.

/// Longest n-gram that either metric looks at.
pub(crate) const ORDERS: usize = 4;

/// An n-gram as the numbers of its words, 32 bits each, the first word highest.
pub(crate) type Ngram = u128;

/// The n-grams of `words` that have `order + 1` words, sorted, into `ngrams`.
pub(crate) fn sorted(words: &[u32], order: usize, ngrams: &mut Vec<Ngram>) {
    let number =
        |window: &[u32]| window.iter().fold(0, |ngram, &word| ngram << 32 | Ngram::from(word));
    ngrams.clear();
    ngrams.extend(words.windows(order + 1).map(number));
    ngrams.sort_unstable();
}

/// Counts how often each n-gram is in a sorted list, in order.
pub(crate) fn counts(sorted: &[Ngram]) -> impl Iterator<Item = (Ngram, u32)> {
    sorted.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as u32))
}

/// The values of the n-grams that are in both lists, which are in order of the n-grams.
pub(crate) fn common<A: Copy, B: Copy>(
    a: impl Iterator<Item = (Ngram, A)>,
    b: impl Iterator<Item = (Ngram, B)>,
) -> impl Iterator<Item = (A, B)> {
    let mut b = b.peekable();
    a.filter_map(move |(ngram, value)| {
        while b.next_if(|other| other.0 < ngram).is_some() {}
        b.peek().filter(|other| other.0 == ngram).map(|other| (value, other.1))
    })
}
