//! Counting n-grams, shared by BLEU and CIDEr.

use std::collections::BTreeMap;

/// How often each n-gram of one caption occurs. Ordered, so that sums over it are the same on every run.
pub(crate) type Counts<'a> = BTreeMap<&'a [String], usize>;

/// Longest n-gram that either metric looks at.
pub(crate) const ORDERS: usize = 4;

/// Counts of the n-grams of `tokens` for n = 1..=4; index 0 holds the single tokens.
pub(crate) fn count(tokens: &[String]) -> [Counts<'_>; ORDERS] {
    std::array::from_fn(|order| {
        let mut counts = Counts::new();
        for ngram in tokens.windows(order + 1) {
            *counts.entry(ngram).or_default() += 1;
        }
        counts
    })
}

/// Checks that a corpus pairs every hypothesis with its references.
///
/// # Panics
/// If it does not: scores of captions against the wrong image would look like plausible results.
pub(crate) fn check_paired(hypotheses: usize, references: usize) {
    assert_eq!(hypotheses, references, "one list of references per hypothesis is needed");
}
