//! The order of sums in a product with a matrix of 8-bit blocks. It depends on the matrix alone, so that a row has
//! the same bits beside any number of other rows and on any number of threads.

use std::ops::Range;

use super::team;

/// Elements of a matrix below which one thread multiplies.
pub(super) const PARALLEL: usize = 1 << 16;

/// Rows of the matrix that are worked on at a time, so that sums need not be loaded for each.
pub(super) const DEPTH: usize = 4;

/// Runs that the rows of the matrix are split into. The number does not depend on the number of
/// threads, and so neither do sums.
const PIECES: usize = 8;

/// Returns the number of rows in a run: they are summed before the run's sum is added to the rest.
fn piece(k: usize) -> usize {
    k.div_ceil(PIECES).next_multiple_of(DEPTH)
}

/// Calls `f(rows, sums)` for each run of rows of a matrix `[k, n]`, with `len` zeros as `sums`.
/// Returns the total of the sums, added in the order of the runs.
pub(super) fn in_pieces(
    [k, n]: [usize; 2],
    len: usize,
    f: impl Fn(Range<usize>, &mut [f32]) + Send + Sync + 'static,
) -> Vec<f32> {
    let piece = piece(k);
    let one = move |i: usize| {
        let mut sums = vec![0.0; len];
        f(i * piece..(i * piece + piece).min(k), &mut sums);
        sums
    };
    let pieces = k.div_ceil(piece);
    let parts: Vec<Vec<f32>> =
        if k * n >= PARALLEL { team::pieces(pieces, one) } else { (0..pieces).map(one).collect() };
    let mut parts = parts.into_iter();
    let mut total = parts.next().unwrap_or_default();
    for part in parts {
        for (t, p) in total.iter_mut().zip(part) {
            *t += p;
        }
    }
    total
}
