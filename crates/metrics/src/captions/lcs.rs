//! The length of the longest common subsequence, a word of bits at a time (Hyyrö 2004).
//!
//! Column `j` of the usual table is a bit that is 0 where the row steps up. A row is made from the
//! one before by an addition whose carry runs along the row; where a word has no match and no carry
//! comes in, nothing changes. So time is the number of matches, or of words of bits if that is
//! less, and memory that of the shorter text.

use std::collections::HashMap;

/// Longest text whose matches are looked up by going through it.
const SHORT: usize = 64;

/// Buffers for one pair of texts, kept for the next.
#[derive(Default)]
pub(crate) struct Common {
    row: Vec<u64>,
    /// By token, where it is: word of the row, and its bits.
    places: HashMap<u32, Vec<(u32, u64)>>,
}

impl Common {
    /// The length of the longest common subsequence of two texts; `None` if more than `most` pairs
    /// of words would have to be looked at.
    pub(crate) fn length(&mut self, a: &[u32], b: &[u32], most: u64) -> Option<usize> {
        // What both begin and end with is common.
        let begin = a.iter().zip(b).take_while(|(x, y)| x == y).count();
        let (a, b) = (&a[begin..], &b[begin..]);
        let end = a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).count();
        let (a, b) = (&a[..a.len() - end], &b[..b.len() - end]);
        let (long, short) = if a.len() < b.len() { (b, a) } else { (a, b) };
        if (long.len() as u64).saturating_mul(short.len() as u64) > most {
            return None;
        }
        let middle =
            if short.len() <= SHORT { in_one_word(long, short) } else { self.in_many(long, short) };
        Some(begin + middle + end)
    }

    fn in_many(&mut self, long: &[u32], short: &[u32]) -> usize {
        self.places.clear();
        for (at, &token) in short.iter().enumerate() {
            let (word, bit) = ((at / 64) as u32, 1 << (at % 64));
            let places = self.places.entry(token).or_default();
            match places.last_mut().filter(|last| last.0 == word) {
                Some(last) => last.1 |= bit,
                None => places.push((word, bit)),
            }
        }
        self.row.clear();
        self.row.resize(short.len().div_ceil(64), u64::MAX);
        for places in long.iter().filter_map(|token| self.places.get(token)) {
            let (mut carry, mut next) = (false, 0);
            for &(word, bits) in places {
                // The carry runs through words without a match, until one takes it in.
                while carry && next < word as usize {
                    (self.row[next], carry) = step(self.row[next], 0, carry);
                    next += 1;
                }
                next = word as usize;
                (self.row[next], carry) = step(self.row[next], bits, carry);
                next += 1;
            }
            while carry && next < self.row.len() {
                (self.row[next], carry) = step(self.row[next], 0, carry);
                next += 1;
            }
        }
        ups(&self.row, short.len())
    }
}

/// The next row's word, and whether the addition goes on in the one behind it.
fn step(row: u64, matches: u64, carry: bool) -> (u64, bool) {
    let (sum, over) = row.overflowing_add(row & matches);
    let (sum, again) = sum.overflowing_add(u64::from(carry));
    (sum | (row & !matches), over || again)
}

/// Counts how often the last row steps up.
fn ups(row: &[u64], length: usize) -> usize {
    let zeros: usize = row.iter().map(|word| word.count_zeros() as usize).sum();
    debug_assert!(zeros <= length);
    zeros
}

fn in_one_word(long: &[u32], short: &[u32]) -> usize {
    let mut row = u64::MAX;
    for token in long {
        let matches = short
            .iter()
            .enumerate()
            .fold(0, |bits, (at, other)| bits | u64::from(token == other) << at);
        row = step(row, matches, false).0;
    }
    // Bits behind the text can only be set.
    ups(&[row], short.len())
}

#[cfg(test)]
mod tests {
    use super::{Common, in_one_word};
    use proptest::prelude::*;

    /// With the whole table, as in a textbook.
    fn table(a: &[u32], b: &[u32]) -> usize {
        let mut table = vec![vec![0; b.len() + 1]; a.len() + 1];
        for (i, x) in a.iter().enumerate() {
            for (j, y) in b.iter().enumerate() {
                table[i + 1][j + 1] =
                    if x == y { table[i][j] + 1 } else { table[i][j + 1].max(table[i + 1][j]) };
            }
        }
        table[a.len()][b.len()]
    }

    proptest! {
        #[test]
        fn as_the_textbook(
            a in proptest::collection::vec(0_u32..6, 0..40),
            b in proptest::collection::vec(0_u32..6, 0..40),
        ) {
            let expected = table(&a, &b);
            prop_assert_eq!(Common::default().length(&a, &b, u64::MAX), Some(expected));
            prop_assert_eq!(in_one_word(&a, &b), expected);
            prop_assert_eq!(Common::default().in_many(&a, &b), expected);
        }

        #[test]
        fn over_several_words_of_bits(
            a in proptest::collection::vec(0_u32..4, 0..400),
            b in proptest::collection::vec(0_u32..40, 0..300),
        ) {
            let mut common = Common::default();
            prop_assert_eq!(common.length(&a, &b, u64::MAX), Some(table(&a, &b)));
            prop_assert_eq!(common.length(&b, &a, u64::MAX), Some(table(&a, &b)));
        }
    }

    #[test]
    fn what_is_too_much_is_not_tried() {
        let (a, b) = ([1, 2, 3, 4], [4, 3, 2, 1]);
        assert_eq!(Common::default().length(&a, &b, 15), None);
        assert_eq!(Common::default().length(&a, &b, 16), Some(1));
        let same = vec![7; 1_000_000];
        assert_eq!(Common::default().length(&same, &same, 0), Some(1_000_000));
    }
}
