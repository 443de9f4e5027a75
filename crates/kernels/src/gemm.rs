//! Products of small matrices, held in registers block by block.

use crate::simd::{lanes, madd};

/// Rows of a matrix within a buffer: row `i` begins at `i * stride`.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) stride: usize,
}

/// `C = A B`: `A` is `[m, k]`, or with `TRANS` stored as `[k, m]`; `B` is `[k, n]`; row `i` of `C` begins at `c[i * ldc]`.
///
/// Every element of `C` is one sum over `k` in order, whatever block it falls into.
#[inline(always)]
pub(crate) fn gemm<const FMA: bool, const TRANS: bool>(
    [m, n, k]: [usize; 3],
    a: Matrix<'_>,
    b: Matrix<'_>,
    c: &mut [f32],
    ldc: usize,
) {
    let mut j = 0;
    while j < n {
        // The blocks fill the sixteen registers of AVX2 (or SSE2): accumulators, one row of B, one element of A.
        let left = n - j;
        if FMA && left >= 24 && left % 16 >= 8 {
            panel::<FMA, TRANS, 4, 24>(m, k, a, b, c, ldc, j);
            j += 24;
        } else if FMA && left >= 16 {
            panel::<FMA, TRANS, 6, 16>(m, k, a, b, c, ldc, j);
            j += 16;
        } else if left >= 8 {
            panel::<FMA, TRANS, 4, 8>(m, k, a, b, c, ldc, j);
            j += 8;
        } else {
            panel::<FMA, TRANS, 4, 1>(m, k, a, b, c, ldc, j);
            j += 1;
        }
    }
}

/// `NR` columns of `C` from column `j` on.
#[inline(always)]
fn panel<const FMA: bool, const TRANS: bool, const MR: usize, const NR: usize>(
    m: usize,
    k: usize,
    a: Matrix<'_>,
    b: Matrix<'_>,
    c: &mut [f32],
    ldc: usize,
    j: usize,
) {
    let mut i = 0;
    while i + MR <= m {
        block::<FMA, TRANS, MR, NR>(k, a, b, c, ldc, i, j);
        i += MR;
    }
    if MR > 4 && i + 4 <= m {
        block::<FMA, TRANS, 4, NR>(k, a, b, c, ldc, i, j);
        i += 4;
    }
    match m - i {
        3 => block::<FMA, TRANS, 3, NR>(k, a, b, c, ldc, i, j),
        2 => block::<FMA, TRANS, 2, NR>(k, a, b, c, ldc, i, j),
        1 => block::<FMA, TRANS, 1, NR>(k, a, b, c, ldc, i, j),
        _ => {}
    }
}

/// `MR x NR` elements of `C` from `(i, j)` on.
#[inline(always)]
fn block<const FMA: bool, const TRANS: bool, const MR: usize, const NR: usize>(
    k: usize,
    a: Matrix<'_>,
    b: Matrix<'_>,
    c: &mut [f32],
    ldc: usize,
    i: usize,
    j: usize,
) {
    let mut sums = [[0.0; NR]; MR];
    if TRANS {
        for p in 0..k {
            let row: &[f32; NR] = lanes(b.data, p * b.stride + j);
            let column: &[f32; MR] = lanes(a.data, p * a.stride + i);
            step::<FMA, MR, NR>(&mut sums, *column, row);
        }
    } else {
        // Rows cut to `k` here need no bounds check inside the loop.
        let rows: [&[f32]; MR] = std::array::from_fn(|r| &a.data[(i + r) * a.stride..][..k]);
        for p in 0..k {
            let row: &[f32; NR] = lanes(b.data, p * b.stride + j);
            let mut column = [0.0; MR];
            for r in 0..MR {
                column[r] = rows[r][p];
            }
            step::<FMA, MR, NR>(&mut sums, column, row);
        }
    }
    for r in 0..MR {
        c[(i + r) * ldc + j..][..NR].copy_from_slice(&sums[r]);
    }
}

/// Adds the outer product of a column and a row.
#[inline(always)]
fn step<const FMA: bool, const MR: usize, const NR: usize>(sums: &mut [[f32; NR]; MR], column: [f32; MR], row: &[f32; NR]) {
    for r in 0..MR {
        for s in 0..NR {
            sums[r][s] = madd::<FMA>(column[r], row[s], sums[r][s]);
        }
    }
}

/// `out[c * ld + r] = scale * a[r][c]` for a matrix of `rows x columns`; columns of `out` beyond `rows` are zeroed up to `ld`.
#[inline(always)]
pub(crate) fn transpose(rows: usize, columns: usize, a: Matrix<'_>, scale: f32, out: &mut [f32], ld: usize) {
    let mut r = 0;
    while r < ld {
        // Eight rows at a time are written as runs of eight.
        let some = (rows.saturating_sub(r)).min(8);
        for c in 0..columns {
            let mut run = [0.0; 8];
            for (i, v) in run.iter_mut().enumerate().take(some) {
                *v = a.data[(r + i) * a.stride + c] * scale;
            }
            out[c * ld + r..][..8].copy_from_slice(&run);
        }
        r += 8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_equals_the_plain_sum() {
        for m in 1..14 {
            for n in 1..60 {
                let k = 1 + (m * n) % 9;
                let a: Vec<f32> = (0..m * (k + 2)).map(|i| ((i * 5) % 13) as f32 - 6.0).collect();
                let b: Vec<f32> = (0..k * (n + 1)).map(|i| ((i * 7) % 11) as f32 - 5.0).collect();
                let at: Vec<f32> = (0..k * m).map(|i| a[(i % m) * (k + 2) + i / m]).collect();
                let want: Vec<f32> =
                    (0..m * n).map(|i| (0..k).map(|p| a[(i / n) * (k + 2) + p] * b[p * (n + 1) + i % n]).sum()).collect();
                let b = Matrix { data: &b, stride: n + 1 };
                let (a, at) = (Matrix { data: &a, stride: k + 2 }, Matrix { data: &at, stride: m });
                let mut c = vec![0.0; m * n];
                gemm::<true, false>([m, n, k], a, b, &mut c, n);
                assert_eq!(c, want);
                gemm::<false, true>([m, n, k], at, b, &mut c, n);
                assert_eq!(c, want);
                let ld = m.next_multiple_of(8);
                let mut t = vec![1.0; k * ld];
                transpose(m, k, a, 2.0, &mut t, ld);
                for p in 0..k {
                    for i in 0..ld {
                        assert_eq!(t[p * ld + i], if i < m { 2.0 * at.data[p * m + i] } else { 0.0 });
                    }
                }
            }
        }
    }
}
