//! Products of a few rows with a large matrix that is stored transposed, such as a head that is
//! tied to a table of embeddings. They are bound by reading the matrix: see `matvec`.

#![expect(unsafe_code, reason = "threads write columns of one buffer")]

use super::blocks::Target;
use super::element::{Element, of_any_type};
use super::factor::Factor;
use super::{K_BLOCK, team};
use crate::cpu::simd::{Kernel, Simd, vectorised};
use crate::cpu::vector::{lanes, madd};

/// Most rows that are computed here.
const MOST_ROWS: usize = 12;

/// Rows that are multiplied with a square of the matrix while it is in registers.
const TOGETHER: usize = 4;

/// Outputs that one thread computes at a time, at least.
const OUTPUTS: usize = 64;

/// Elements of the matrix that one thread reads at a time, about.
const PIECE: usize = 1 << 16;

/// Returns `true` if a product of so many rows with this matrix is computed here.
pub(super) fn fits(rows: usize, w: &Factor) -> bool {
    let w = w.right();
    rows <= MOST_ROWS && w.strides[0] == 1 && w.columns >= 8
}

/// Computes `x w`, where `w` is stored as `[columns, rows]`.
///
/// # Safety
/// `out` has room for the product.
pub(super) unsafe fn times(x: Factor, w: Factor, out: Target) {
    let (k, n) = (w.right().rows, w.right().columns);
    let width = (PIECE / k.max(1)).next_multiple_of(OUTPUTS);
    let one = move |i: usize| {
        let first = i * width;
        let width = width.min(n - first);
        let (x, w) = (x.left(), w.right());
        let mut sums = vec![0.0; x.rows * width];
        of_any_type!(w.data, w => {
            let w = &w[first * k..][..width * k];
            vectorised(Dots { x: x.data, w, k, sums: &mut sums });
        });
        for (row, sums) in sums.chunks_exact(width).enumerate() {
            // SAFETY: no other thread writes these columns, and the caller answers for the room.
            unsafe {
                let to = out.from([row, first]).data;
                to.copy_from_nonoverlapping(sums.as_ptr(), width);
            }
        }
    };
    let count = n.div_ceil(width);
    if k * n < PIECE { (0..count).for_each(one) } else { drop(team::pieces(count, one)) }
}

/// The products of each row of `x` with each row of `w`, both of length `k`.
struct Dots<'a, E> {
    x: &'a [f32],
    w: &'a [E],
    k: usize,
    sums: &'a mut [f32],
}

impl<E: Element> Kernel for Dots<'_, E> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { x, w, k, sums } = self;
        let width = w.len() / k;
        let whole = width / 8 * 8;
        for (x, sums) in x.chunks(TOGETHER * k).zip(sums.chunks_mut(TOGETHER * width)) {
            let mut j = 0;
            if x.len() == k {
                // Two chains of sums: each waits for its own additions only.
                while j + 16 <= whole {
                    eights::<S, E, 2, 1>(simd, x, &w[j * k..], k, (&mut sums[j..], width));
                    j += 16;
                }
            }
            while j + 8 <= whole {
                let (w, out) = (&w[j * k..], (&mut sums[j..], width));
                match x.len() / k {
                    1 => eights::<S, E, 1, 1>(simd, x, w, k, out),
                    2 => eights::<S, E, 1, 2>(simd, x, w, k, out),
                    3 => eights::<S, E, 1, 3>(simd, x, w, k, out),
                    _ => eights::<S, E, 1, 4>(simd, x, w, k, out),
                }
                j += 8;
            }
            for j in whole..width {
                for (x, sums) in x.chunks_exact(k).zip(sums.chunks_exact_mut(width)) {
                    sums[j] = dot::<S, E>(x, &w[j * k..][..k]);
                }
            }
        }
    }
}

/// Computes `8 EIGHTS` outputs of `ROWS` rows. Squares of the matrix are transposed in registers, so
/// that each output's sum is a chain of its own.
#[inline(always)]
fn eights<S: Simd, E: Element, const EIGHTS: usize, const ROWS: usize>(
    simd: S,
    x: &[f32],
    w: &[E],
    k: usize,
    (out, width): (&mut [f32], usize),
) {
    for first in (0..k).step_by(K_BLOCK) {
        let last = k.min(first + K_BLOCK);
        let mut sums = [[simd.splat(0.0); ROWS]; EIGHTS];
        let whole = first + (last - first) / 8 * 8;
        for p in (first..whole).step_by(8) {
            for (e, sums) in sums.iter_mut().enumerate() {
                let mut square = [simd.splat(0.0); 8];
                for (i, row) in square.iter_mut().enumerate() {
                    *row = E::load(simd, lanes(w, (8 * e + i) * k + p));
                }
                let square = simd.transpose(square);
                for (r, sum) in sums.iter_mut().enumerate() {
                    let x: &[f32; 8] = lanes(x, r * k + p);
                    for (x, column) in x.iter().zip(square) {
                        *sum = simd.madd(simd.splat(*x), column, *sum);
                    }
                }
            }
        }
        for p in whole..last {
            for (e, sums) in sums.iter_mut().enumerate() {
                let mut column = [0.0; 8];
                for (i, w_) in column.iter_mut().enumerate() {
                    *w_ = w[(8 * e + i) * k + p].wide();
                }
                for (r, sum) in sums.iter_mut().enumerate() {
                    *sum = simd.madd(simd.splat(x[r * k + p]), simd.load(&column), *sum);
                }
            }
        }
        for (e, sums) in sums.into_iter().enumerate() {
            for (r, sum) in sums.into_iter().enumerate() {
                let out = &mut out[r * width + 8 * e..][..8];
                let sum = if first == 0 { sum } else { simd.add(simd.load(lanes(out, 0)), sum) };
                out.copy_from_slice(&simd.store(sum));
            }
        }
    }
}

/// Returns the product of two rows.
#[inline(always)]
fn dot<S: Simd, E: Element>(x: &[f32], w: &[E]) -> f32 {
    let mut total = 0.0;
    for (block, (x, w)) in x.chunks(K_BLOCK).zip(w.chunks(K_BLOCK)).enumerate() {
        let mut sum = 0.0;
        for (x, w) in x.iter().zip(w) {
            sum = madd::<S>(*x, w.wide(), sum);
        }
        total = if block == 0 { sum } else { total + sum };
    }
    total
}
