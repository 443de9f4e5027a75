//! Rows that are multiplied with a matrix of blocks, quantised to 8 bits themselves.

use super::block::BLOCK;
use crate::cpu::simd::{Kernel, Simd, vectorised};

/// 32 numbers of a row: `scale * numbers[i]`.
#[derive(Clone, Copy)]
pub(super) struct RowBlock {
    pub(super) numbers: [i8; BLOCK],
    /// Largest magnitude / 127; NaN if a number is not finite.
    pub(super) scale: f32,
    /// Sum of the numbers.
    pub(super) sum: i32,
    /// The sum, scaled.
    pub(super) scaled_sum: f32,
}

/// Smallest magnitude that is not rounded to zero: below it, `127 / magnitude` overflows.
const TINY: f32 = 1e-35;

/// Rounds rows of whole blocks to 8 bits.
pub(super) fn quantise(x: &[f32]) -> Vec<RowBlock> {
    struct All<'a>(&'a [[f32; BLOCK]], &'a mut Vec<RowBlock>);

    impl Kernel for All<'_> {
        #[inline(always)]
        fn run<S: Simd>(self, _: S) {
            for x in self.0 {
                self.1.push(quantise_block(x));
            }
        }
    }

    let blocks = x.as_chunks::<BLOCK>().0;
    let mut all = Vec::with_capacity(blocks.len());
    vectorised(All(blocks, &mut all));
    all
}

// The bits of a magnitude, as an integer, are in the order of magnitudes, with infinity and NaN
// above all: the maximum needs no order of its own.
#[inline(always)]
fn quantise_block(x: &[f32; BLOCK]) -> RowBlock {
    let mut largest = 0;
    for x in x {
        largest = largest.max(x.to_bits() & 0x7fff_ffff);
    }
    let largest = f32::from_bits(largest);
    if !largest.is_finite() {
        return RowBlock { numbers: [0; BLOCK], scale: f32::NAN, sum: 0, scaled_sum: f32::NAN };
    }
    if largest < TINY {
        return RowBlock { numbers: [0; BLOCK], scale: 0.0, sum: 0, scaled_sum: 0.0 };
    }
    // Adding 1.5 * 2^23 rounds to the nearest integer, ties to even, and leaves it in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let (scale, inverse) = (largest / 127.0, 127.0 / largest);
    let mut numbers = [0; BLOCK];
    let mut sum = 0;
    for (number, x) in numbers.iter_mut().zip(x) {
        let rounded = ((x * inverse + ROUND).to_bits() as i32) - ROUND.to_bits() as i32;
        *number = rounded as i8;
        sum += rounded;
    }
    RowBlock { numbers, scale, sum, scaled_sum: scale * sum as f32 }
}
