//! Randomness as a pure function of `(seed, stream, index)`.
//!
//! Every random draw of the toolkit comes from a [`Stream`] that is named by its purpose: initial
//! weights, scene layout, batch order, hard negatives, dropout, bootstrap. There is no shared
//! generator. So a resumed run draws what the uninterrupted run draws, cells may run in any order,
//! and no state of a generator needs to be saved.
//!
//! | item | purpose |
//! |---|---|
//! | [`Stream`] | a stream of draws: bits, uniform, normal, choices, permutations |
//! | [`key`] | a 64-bit hash of bytes, with which streams are named |
//!
//! ```
//! use toolkit_seed::Stream;
//!
//! let draw = |step| Stream::new(7, "stage1/negatives", step).below(100);
//! assert_eq!(draw(3), draw(3)); // no draw before matters
//! assert_ne!(Stream::new(7, "order", 0).next_u64(), Stream::new(7, "dropout", 0).next_u64());
//! assert_eq!(Stream::new(1, "order", 0).permutation(5).len(), 5);
//! ```
//!
//! The generator is xoshiro256** seeded by SplitMix64 (Blackman and Vigna, 2018). It is written out
//! here and not taken from a crate, because data sets and results are named by their seed: the
//! draws must be the same in every later version.

/// A stream of random numbers, named by a seed, a label and an index.
#[derive(Clone, Debug)]
pub struct Stream {
    state: [u64; 4],
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Hashes bytes to a 64-bit key (FNV-1a, then SplitMix64, so that similar inputs have distant
/// keys).
#[must_use]
pub fn key(bytes: &[u8]) -> u64 {
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    for &byte in bytes {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
    }
    split_mix(&mut hash)
}

impl Stream {
    /// Creates the stream called `label`, number `index`, of `seed`: for example `Stream::new(1,
    /// "stage1/negatives", step)`.
    #[must_use]
    pub fn new(seed: u64, label: &str, index: u64) -> Self {
        let mut mixed = seed;
        let mut at = split_mix(&mut mixed) ^ key(label.as_bytes());
        at = split_mix(&mut at) ^ index;
        let state = std::array::from_fn(|_| split_mix(&mut at));
        Self { state }
    }

    /// Draws 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        let s = &mut self.state;
        let result = s[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// Draws uniformly from `[0, 1)`, with 53 random bits.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Draws uniformly from `0..n`, without modulo bias.
    ///
    /// # Panics
    /// If `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        assert!(n > 0, "a draw needs at least one choice");
        let n = n as u64;
        loop {
            let wide = u128::from(self.next_u64()) * u128::from(n);
            // Lemire 2019: reject the few low products that would make some values likelier.
            if (wide as u64) >= n.wrapping_neg() % n {
                return (wide >> 64) as usize;
            }
        }
    }

    /// Draws uniformly from `low..=high`.
    pub fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    /// Returns `true` with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Draws one element of a non-empty slice.
    pub fn choose<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// Draws from the standard normal distribution (Box and Muller). The second number of the pair
    /// is dropped, so that a draw does not depend on the parity of earlier ones.
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * libm::log(1.0 - self.unit())).sqrt();
        radius * libm::cos(std::f64::consts::TAU * self.unit())
    }

    /// Draws an index in proportion to non-negative `weights` (`torch.multinomial` with one
    /// sample), uniformly if all weights are zero.
    pub fn weighted(&mut self, weights: &[f32]) -> usize {
        let total: f64 = weights.iter().map(|&w| f64::from(w)).sum();
        if total <= 0.0 || !total.is_finite() {
            return self.below(weights.len());
        }
        let mut left = self.unit() * total;
        let mut last = 0;
        for (index, &weight) in weights.iter().enumerate() {
            if weight > 0.0 {
                last = index;
                left -= f64::from(weight);
                if left < 0.0 {
                    return index;
                }
            }
        }
        last
    }

    /// Shuffles a slice in place (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    /// Draws a permutation of `0..n`.
    #[must_use]
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        self.shuffle(&mut order);
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pinned for ever: a change here changes every data set and every result.
    #[test]
    fn draws_are_pinned() {
        let mut stream = Stream::new(7, "pin", 3);
        let draws: Vec<u64> = (0..3).map(|_| stream.next_u64()).collect();
        assert_eq!(
            draws,
            [13_076_607_623_517_861_547, 6_839_547_223_375_929_506, 957_187_823_362_052_027]
        );
    }

    #[test]
    fn streams_differ_by_every_part_of_their_name() {
        let first = |seed, label, index| Stream::new(seed, label, index).next_u64();
        let all = [first(1, "a", 0), first(2, "a", 0), first(1, "b", 0), first(1, "a", 1)];
        for (i, a) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|b| a != b));
        }
    }

    #[test]
    fn moments_and_ranges() {
        let mut stream = Stream::new(1, "moments", 0);
        let normals: Vec<f64> = (0..20_000).map(|_| stream.normal()).collect();
        let mean = normals.iter().sum::<f64>() / 20_000.0;
        let var = normals.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (var - 1.0).abs() < 0.05, "mean {mean}, variance {var}");
        let mut counts = [0; 3];
        for _ in 0..9_000 {
            counts[stream.below(3)] += 1;
        }
        assert!(counts.iter().all(|c| (2_700..3_300).contains(c)), "{counts:?}");
        let hits = (0..4_000).filter(|_| stream.weighted(&[0.0, 3.0, 1.0]) == 1).count();
        assert!((2_850..3_150).contains(&hits), "{hits}");
    }

    #[test]
    fn shuffles_are_permutations() {
        let mut order = Stream::new(4, "order", 9).permutation(50);
        order.sort_unstable();
        assert_eq!(order, (0..50).collect::<Vec<_>>());
    }
}
