//! Products of many rows with a large matrix, each row with the bits of a product of few rows: a
//! batch of texts that are generated together, with several beams each.
//!
//! Each sum adds the same numbers in the same order as in `matvec.rs`. There, the matrix is read
//! once, and sums are loaded and stored. Here, a tile of sums stays in registers.

use std::ops::Range;

use burn_flex::FlexTensor;

use super::split::{piece, whole_sum};
use super::team;
use crate::cpu::simd::{Kernel, Simd, vectorised};
use crate::cpu::vector::lanes;

/// Columns of the matrix that one thread works on at a time.
const COLUMNS: usize = 64;

/// Columns of a tile, two vectors.
const ACROSS: usize = 16;

/// Rows of a tile: twelve sums, two vectors of the matrix and one of `x` fill the registers.
const DOWN: usize = 6;

/// Computes `y [rows, n] = x [rows, k] w [k, n]`, both contiguous.
pub(super) fn times(x: FlexTensor, w: FlexTensor, rows: usize, n: usize) -> Vec<f32> {
    let k = x.storage::<f32>().len() / rows;
    let one = move |i: usize| {
        let columns = i * COLUMNS..((i + 1) * COLUMNS).min(n);
        let mut out = vec![0.0; rows * columns.len()];
        let (x, w): (&[f32], &[f32]) = (x.storage(), w.storage());
        vectorised(Columns { x, w, columns, k, n, out: &mut out });
        out
    };
    let parts = team::pieces(n.div_ceil(COLUMNS), one);
    let mut y = vec![0.0; rows * n];
    for (i, part) in parts.iter().enumerate() {
        let width = part.len() / rows;
        for (y, part) in y.chunks_exact_mut(n).zip(part.chunks_exact(width)) {
            y[i * COLUMNS..][..width].copy_from_slice(part);
        }
    }
    y
}

/// A range of columns of the product.
struct Columns<'a> {
    x: &'a [f32],
    w: &'a [f32],
    columns: Range<usize>,
    k: usize,
    n: usize,
    out: &'a mut [f32],
}

impl Kernel for Columns<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { x, w, columns, k, n, out } = self;
        let (width, depth) = (columns.len(), piece(k));
        // The columns of one tile, contiguous. If the last tile has fewer columns, stale values
        // fill the rest; their sums are never read.
        let mut panel = vec![[0.0; ACROSS]; depth];
        for from in (0..k).step_by(depth) {
            let deep = from..(from + depth).min(k);
            for first in (0..width).step_by(ACROSS) {
                let across = ACROSS.min(width - first);
                for (panel, row) in panel.iter_mut().zip(deep.clone()) {
                    let w = &w[row * n + columns.start + first..];
                    match w.first_chunk() {
                        Some(whole) if across == ACROSS => *panel = *whole,
                        _ => panel[..across].copy_from_slice(&w[..across]),
                    }
                }
                let panel = &panel[..deep.len()];
                let mut sums = [[0.0; ACROSS]; DOWN];
                for (tile, x) in x.chunks(DOWN * k).enumerate() {
                    let down = x.len() / k;
                    // Missing rows repeat the first; their sums are never read.
                    let rows = std::array::from_fn(|i| {
                        &x[if i < down { i * k } else { 0 }..][deep.clone()]
                    });
                    tile_of_sums(simd, rows, panel, &mut sums);
                    for (i, sums) in sums.iter().take(down).enumerate() {
                        let out = &mut out[(tile * DOWN + i) * width + first..][..across];
                        for (out, sum) in out.iter_mut().zip(sums) {
                            *out = if from == 0 { *sum } else { *out + sum };
                        }
                    }
                }
            }
        }
    }
}

/// Computes `x panel` for six rows of `x`.
#[inline(always)]
fn tile_of_sums<S: Simd>(
    simd: S,
    x: [&[f32]; DOWN],
    panel: &[[f32; ACROSS]],
    out: &mut [[f32; ACROSS]; DOWN],
) {
    let zero = simd.splat(0.0);
    let mut sums = [[zero; 2]; DOWN];
    let [a, b, c, d, e, f] = x;
    for ((((((w, a), b), c), d), e), f) in panel.iter().zip(a).zip(b).zip(c).zip(d).zip(e).zip(f) {
        let ([left, right], _) = w.as_chunks::<8>() else {
            unreachable!("sixteen are two times eight")
        };
        let (left, right) = (simd.load(left), simd.load(right));
        for (sums, x) in sums.iter_mut().zip([a, b, c, d, e, f]) {
            let x = simd.splat(*x);
            *sums = [simd.madd(x, left, sums[0]), simd.madd(x, right, sums[1])];
        }
    }
    for (out, sums) in out.iter_mut().zip(sums) {
        out[..8].copy_from_slice(&simd.store(sums[0]));
        out[8..].copy_from_slice(&simd.store(sums[1]));
    }
}

/// Rows of `w` that stay in the first-level cache while all of `x` is read, for rows of up to about
/// 1,300.
const NEAR: usize = 6;

/// `out [rows of w, rows of x] = w x'`, both rows of `k`.
pub(super) struct Dots<'a> {
    pub(super) x: &'a [f32],
    pub(super) w: &'a [f32],
    pub(super) k: usize,
    pub(super) out: &'a mut [f32],
}

impl Kernel for Dots<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { x, w, k, out } = self;
        let rows = x.len() / k;
        for (near, out) in w.chunks(NEAR * k).zip(out.chunks_mut(NEAR * rows)) {
            for (tile, x) in x.chunks(3 * k).enumerate() {
                let down = x.len() / k;
                // Missing rows repeat the first; their sums are never read.
                let x: [&[f32]; 3] =
                    std::array::from_fn(|i| &x[if i < down { i * k } else { 0 }..][..k]);
                for (pair, out) in near.chunks(2 * k).zip(out.chunks_mut(2 * rows)) {
                    let sums = six_dots(simd, [&pair[..k], &pair[pair.len() - k..]], x);
                    for (out, sums) in out.chunks_exact_mut(rows).zip(sums) {
                        out[tile * 3..][..down].copy_from_slice(&sums[..down]);
                    }
                }
            }
        }
    }
}

/// Returns the products of two rows with three, each with the sums of `matvec.rs`.
#[inline(always)]
fn six_dots<S: Simd>(simd: S, w: [&[f32]; 2], x: [&[f32]; 3]) -> [[f32; 3]; 2] {
    let mut sums = [[[simd.splat(0.0); 2]; 3]; 2];
    let ([(u, u_rest), (v, v_rest)], [(a, a_rest), (b, b_rest), (c, c_rest)]) =
        (w.map(|w| w.as_chunks::<16>()), x.map(|x| x.as_chunks::<16>()));
    for ((((u, v), a), b), c) in u.iter().zip(v).zip(a).zip(b).zip(c) {
        // One half at a time: twelve sums leave four registers.
        for half in [0, 1] {
            let (u, v) = (simd.load(lanes(u, 8 * half)), simd.load(lanes(v, 8 * half)));
            for (j, x) in [a, b, c].into_iter().enumerate() {
                let x = simd.load(lanes(x, 8 * half));
                sums[0][j][half] = simd.madd(u, x, sums[0][j][half]);
                sums[1][j][half] = simd.madd(v, x, sums[1][j][half]);
            }
        }
    }
    let (w_rest, x_rest) = ([u_rest, v_rest], [a_rest, b_rest, c_rest]);
    // Loops and not closures: a closure is compiled without the instruction set of the function
    // around it.
    let mut out = [[0.0; 3]; 2];
    for (i, out) in out.iter_mut().enumerate() {
        for (j, out) in out.iter_mut().enumerate() {
            *out = whole_sum(simd, sums[i][j], x_rest[j], w_rest[i]);
        }
    }
    out
}
