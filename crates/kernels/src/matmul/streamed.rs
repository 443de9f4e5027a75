//! Products of rows with a large constant matrix, each row as if it were alone. Few rows go to
//! `matvec`, many to `tiles`; both give the same bits.

use burn_flex::FlexTensor;

use super::split::PARALLEL;
use super::{matvec, team, tiles};
use crate::cpu::simd::vectorised;

/// Smallest number of rows for `tiles`: with fewer, copying costs more than the registers save
/// (measured).
const MANY: usize = 20;

/// Computes `y [rows, n] = x [rows, k] w [k, n]`, both contiguous.
pub(crate) fn times(x: FlexTensor, w: FlexTensor, rows: usize, n: usize) -> Vec<f32> {
    if rows >= MANY { tiles::times(x, w, rows, n) } else { matvec::times(x, w, rows, n) }
}

/// Computes `y [rows, n] = x [rows, k] w'` for `w [n, k]`, such as a head that is tied to a table
/// of embeddings.
pub(crate) fn times_transposed(x: FlexTensor, w: FlexTensor, rows: usize, n: usize) -> Vec<f32> {
    let k = x.storage::<f32>().len() / rows;
    // Columns of `y` are not contiguous, so each piece computes its own `[columns, rows]`; they are
    // copied into place at the end.
    let block = (PARALLEL / k.max(1)).max(1);
    let one = move |i: usize| {
        let (x, w): (&[f32], &[f32]) = (x.storage(), w.storage());
        let w = &w[i * block * k..(i * block + block).min(n) * k];
        let mut out = vec![0.0; w.len() / k * rows];
        if rows >= MANY {
            vectorised(tiles::Dots { x, w, k, out: &mut out });
        } else {
            vectorised(matvec::Dots { x, w, k, rows, out: &mut out });
        }
        out
    };
    let across = team::pieces(n.div_ceil(block), one);
    if rows == 1 {
        return across.concat();
    }
    let mut y = vec![0.0; rows * n];
    for (piece, across) in across.iter().enumerate() {
        for (j, column) in across.chunks_exact(rows).enumerate() {
            for (i, &value) in column.iter().enumerate() {
                y[i * n + piece * block + j] = value;
            }
        }
    }
    y
}
