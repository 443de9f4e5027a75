//! Sets of the words that an alignment has used. Captions fit into 128 bits, which are copied a
//! great many times.

/// A set of small numbers.
pub trait Bits: Clone {
    /// The empty set of numbers below `length`.
    fn empty(length: usize) -> Self;
    /// Returns `true` if the number is in the set.
    fn has(&self, at: usize) -> bool;
    /// Puts the number into the set.
    fn put(&mut self, at: usize);
}

impl Bits for u128 {
    fn empty(length: usize) -> Self {
        debug_assert!(length <= 128);
        0
    }

    fn has(&self, at: usize) -> bool {
        self >> at & 1 == 1
    }

    fn put(&mut self, at: usize) {
        *self |= 1 << at;
    }
}

impl Bits for Vec<u64> {
    fn empty(length: usize) -> Self {
        vec![0; length.div_ceil(64)]
    }

    fn has(&self, at: usize) -> bool {
        self[at / 64] >> (at % 64) & 1 == 1
    }

    fn put(&mut self, at: usize) {
        self[at / 64] |= 1 << (at % 64);
    }
}
