//! Products of two f32 matrices, over threads.
//!
//! A product is split into rectangles, each of which one thread computes alone: see `blocks`. How
//! it is split changes no bit.

#![expect(unsafe_code, reason = "threads write rectangles of one buffer")]

use burn::tensor::Shape;
use burn_flex::FlexTensor;
use rayon::prelude::*;

use super::blocks::{Target, multiply};
use super::factor::Factor;
use super::{dots, matvec, team};
use crate::cpu::buffer::tensor;
use crate::cpu::isa::Isa;

/// Smallest number of multiplications that are spread over threads.
const PARALLEL: usize = 1 << 22;

/// Rows below which the threads of `team` compute the product: they are awake between the short
/// products of generation.
const FEW: usize = 64;

/// Rows and columns of a rectangle are multiples of these, so that its tiles are whole.
const WHOLE: [usize; 2] = [12, 32];

/// Returns `a b` in a new buffer.
// burn's products zero their buffer first, and copy the zeros to aligned memory.
pub(crate) fn product(a: Factor, b: Factor) -> FlexTensor {
    let (m, n) = (a.rows, b.columns);
    let mut out = Vec::<f32>::with_capacity(m * n);
    let target = Target { data: out.as_mut_ptr(), stride: n, add: false };
    // SAFETY: the buffer has room for the product, and every one of its elements is written.
    unsafe {
        compute(Isa::current(), a, b, target);
        out.set_len(m * n);
    }
    tensor(out, Shape::new([m, n]))
}

/// Adds `a b` to `out`.
pub(crate) fn add_product(a: Factor, b: Factor, out: &mut [f32]) {
    assert_eq!(out.len(), a.rows * b.columns, "the product's size");
    let target = Target { data: out.as_mut_ptr(), stride: b.columns, add: true };
    // SAFETY: `out` is borrowed for writing and as long as the product, as was just asserted.
    unsafe { compute(Isa::current(), a, b, target) }
}

/// Computes the whole product.
///
/// # Safety
/// `out` has room for the product; with `add` it is initialised. This processor has `isa`.
pub(super) unsafe fn compute(isa: Isa, a: Factor, b: Factor, out: Target) {
    let (m, n, k) = (a.rows, b.columns, a.columns);
    if a.strides[1] == 1 && !out.add {
        // SAFETY: as the caller promises.
        unsafe {
            if matvec::fits(m, &b) {
                return matvec::times(a, b, out);
            } else if dots::fits(m, &b) {
                return dots::times(a, b, out);
            }
        }
    }
    let threads = if m * n * k < PARALLEL { 1 } else { rayon::current_num_threads() };
    let [tall, wide] = grid([m, n], threads);
    let one = move |i: usize| {
        let (row, column) = (i / n.div_ceil(wide) * tall, i % n.div_ceil(wide) * wide);
        let (rows, columns) = (row..(row + tall).min(m), column..(column + wide).min(n));
        // SAFETY: the rectangle lies within the product, and no other overlaps it.
        unsafe { multiply(isa, (a.left(), b.right()), [rows, columns], out.from([row, column])) }
    };
    let count = m.div_ceil(tall) * n.div_ceil(wide);
    if count == 1 {
        one(0);
    } else if m < FEW {
        team::pieces(count, one);
    } else {
        (0..count).into_par_iter().for_each(one);
    }
}

/// Returns rows and columns of the rectangles that a product is split into.
///
/// Each row of rectangles packs the whole right factor and each column the left one, so the longer
/// side is split more often. There are some more rectangles than threads: threads are not equally
/// fast.
fn grid([m, n]: [usize; 2], threads: usize) -> [usize; 2] {
    if threads < 2 {
        return [m, n];
    }
    let pieces = 2 * threads;
    let cost = |down: usize| down * n + pieces.div_ceil(down) * m;
    let down = (1..=pieces).min_by_key(|&down| cost(down)).unwrap_or(1);
    let across = pieces.div_ceil(down);
    [m.div_ceil(down).next_multiple_of(WHOLE[0]), n.div_ceil(across).next_multiple_of(WHOLE[1])]
}
