//! Products of a few rows with a large matrix, as a language model makes for every token that it
//! writes. They are bound by reading the matrix: it is read once, in the order in which it lies in
//! memory, on all threads.

#![expect(unsafe_code, reason = "threads write columns of one buffer")]

use super::blocks::Target;
use super::element::{Element, of_any_type};
use super::factor::Factor;
use super::{K_BLOCK, team};
use crate::cpu::simd::{Kernel, Simd, prefetch, vectorised};
use crate::cpu::vector::madd;

/// Most rows that are computed here: with more, copying the matrix into panels costs less than
/// loading and storing sums.
const MOST_ROWS: usize = 12;

/// Rows of the matrix that are read together, so that a sum is loaded once for all of them.
const DEPTH: usize = 8;

/// Rows of the matrix between those that are read and those that are fetched.
const AHEAD: usize = 16;

/// Numbers that are worked on at a time: one register of AVX-512, two of AVX2.
const LANES: usize = 16;

/// Columns that one thread works on at a time: [`DEPTH`] rows of the most stay in the first-level
/// cache for all rows of `x`.
const COLUMNS: [usize; 2] = [128, 1024];

/// Elements of the matrix below which one thread multiplies.
const PARALLEL: usize = 1 << 16;

/// Returns `true` if a product of so many rows with a matrix of these distances is computed here.
pub(super) fn fits(rows: usize, b: &Factor) -> bool {
    let b = b.right();
    rows <= MOST_ROWS && b.strides[1] == 1 && b.columns >= LANES
}

/// Computes `x w`.
///
/// # Safety
/// `out` has room for the product.
pub(super) unsafe fn times(x: Factor, w: Factor, out: Target) {
    let (k, n) = (w.right().rows, w.right().columns);
    let pieces = if k * n < PARALLEL { 1 } else { 2 * rayon::current_num_threads() };
    let width = n.div_ceil(pieces).next_multiple_of(LANES).clamp(COLUMNS[0], COLUMNS[1]);
    let one = move |i: usize| {
        let columns = i * width..(i * width + width).min(n);
        let (x, w) = (x.left(), w.right());
        let rows = x.rows;
        let mut sums = vec![0.0; 2 * rows * columns.len()];
        let (total, block) = sums.split_at_mut(rows * columns.len());
        let from = columns.start;
        let width = columns.len();
        let x = x.data;
        of_any_type!(w.data, w => vectorised(Times { x, w, sizes: [k, n], columns, total, block }));
        for (row, sums) in total.chunks_exact(width).enumerate() {
            // SAFETY: no other thread writes these columns, and the caller answers for the room.
            unsafe {
                let to = out.from([row, from]).data;
                to.copy_from_nonoverlapping(sums.as_ptr(), width);
            }
        }
    };
    let count = n.div_ceil(width);
    if pieces == 1 { (0..count).for_each(one) } else { drop(team::pieces(count, one)) }
}

/// Some columns of the product, for all rows of `x`.
struct Times<'a, E> {
    x: &'a [f32],
    w: &'a [E],
    /// Rows and columns of the matrix.
    sizes: [usize; 2],
    columns: std::ops::Range<usize>,
    /// The result, and room for as many numbers.
    total: &'a mut [f32],
    block: &'a mut [f32],
}

impl<E: Element> Kernel for Times<'_, E> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { x, w, sizes: [k, n], columns, total, block } = self;
        let width = columns.len();
        for first in (0..k).step_by(K_BLOCK) {
            let last = k.min(first + K_BLOCK);
            let sums = if first == 0 { &mut *total } else { &mut *block };
            sums.fill(0.0);
            for at in (first..last).step_by(DEPTH) {
                let rows = &w[at * n..];
                if at + DEPTH <= last {
                    let rows: [&[E]; DEPTH] =
                        std::array::from_fn(|d| &rows[d * n + columns.start..][..width]);
                    let ahead = &w[(at * n + columns.start + AHEAD * n).min(w.len())..];
                    for (x, sums) in x.chunks_exact(k).zip(sums.chunks_exact_mut(width)) {
                        eight_rows(simd, &x[at..], rows, (ahead, n), sums);
                    }
                } else {
                    for p in at..last {
                        let row = &w[p * n + columns.start..][..width];
                        for (x, sums) in x.chunks_exact(k).zip(sums.chunks_exact_mut(width)) {
                            for (sum, w) in sums.iter_mut().zip(row) {
                                *sum = madd::<S>(x[p], w.wide(), *sum);
                            }
                        }
                    }
                }
            }
            if first > 0 {
                for (total, sum) in total.iter_mut().zip(&*block) {
                    *total += sum;
                }
            }
        }
    }
}

/// Adds `x[0] rows[0] + .. + x[7] rows[7]` to `sums`, in this order. `ahead` are the rows that are
/// fetched and their distance.
#[inline(always)]
fn eight_rows<S: Simd, E: Element>(
    simd: S,
    x: &[f32],
    rows: [&[E]; DEPTH],
    (ahead, n): (&[E], usize),
    sums: &mut [f32],
) {
    let factors: [_; DEPTH] = std::array::from_fn(|d| simd.splat(x[d]));
    let (sums, tail) = sums.as_chunks_mut::<LANES>();
    let (count, whole) = (sums.len(), sums.len() * LANES);
    let chunks: [&[[E; LANES]]; DEPTH] = rows.map(|row| &row.as_chunks().0[..count]);
    for (j, sums) in sums.iter_mut().enumerate() {
        let ([left, right], _) = sums.as_chunks_mut::<8>() else {
            unreachable!("sixteen are two times eight")
        };
        let mut both = [simd.load(left), simd.load(right)];
        for d in 0..DEPTH {
            prefetch(ahead.as_ptr().wrapping_add(d * n + j * LANES).cast());
            let ([w0, w1], _) = chunks[d][j].as_chunks::<8>() else {
                unreachable!("sixteen are two times eight")
            };
            both = [
                simd.madd(factors[d], E::load(simd, w0), both[0]),
                simd.madd(factors[d], E::load(simd, w1), both[1]),
            ];
        }
        *left = simd.store(both[0]);
        *right = simd.store(both[1]);
    }
    for (j, sum) in tail.iter_mut().enumerate() {
        for d in 0..DEPTH {
            *sum = madd::<S>(x[d], rows[d][whole + j].wide(), *sum);
        }
    }
}
