//! Products of small matrices, computed in blocks of registers.

use crate::cpu::simd::Simd;
use crate::cpu::vector::{lanes, madd};

/// Repeats a block for `$i` in `0..$n`, unrolled for `$n` up to six.
// The sums stay in registers only if every index is a constant, and below `opt-level = 3` LLVM does
// not unroll that far.
macro_rules! six {
    ($i:ident, $n:expr, $body:block) => {
        unrolled!($i, $n, $body, 0 1 2 3 4 5)
    };
}

/// Repeats a block as [`six`] does, up to eight times.
macro_rules! eight {
    ($i:ident, $n:expr, $body:block) => {
        unrolled!($i, $n, $body, 0 1 2 3 4 5 6 7)
    };
}

macro_rules! unrolled {
    ($i:ident, $n:expr, $body:block, $($at:literal)*) => {$(
        if $at < $n {
            let $i: usize = $at;
            $body
        }
    )*};
}

/// Rows of a matrix within a buffer: row `i` begins at `i * stride`.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) stride: usize,
}

/// Rows of a matrix within a buffer that a product writes.
pub(crate) struct Output<'a> {
    pub(crate) data: &'a mut [f32],
    pub(crate) stride: usize,
    /// `true` adds the product to the values that are there.
    pub(crate) add: bool,
}

/// Computes `C = A B`, or `C += A B` if the output says so.
///
/// `A` is `[m, k]`, or with `TRANS` stored as `[k, m]`; `B` is `[k, n]`. Every element of `C` is
/// one sum over `k` in order, in any block.
#[inline(always)]
pub(crate) fn gemm<S: Simd, const TRANS: bool>(
    simd: S,
    [m, n, k]: [usize; 3],
    a: Matrix<'_>,
    b: Matrix<'_>,
    out: Output<'_>,
) {
    let Output { data: c, stride: ldc, add } = out;
    let mut j = 0;
    while j < n {
        let left = n - j;
        let at = Panel { m, k, a, b, ldc, j, add };
        // The blocks almost fill the sixteen registers of AVX2: sums, a row of B, an element of A.
        // If they fill them all, the compiler spills some in the inner loop.
        if S::FMA && left >= 24 && left % 16 >= 8 {
            panel::<S, TRANS, 3, 3>(simd, at, c);
            j += 24;
        } else if S::FMA && left >= 16 {
            panel::<S, TRANS, 4, 2>(simd, at, c);
            j += 16;
        } else if left >= 8 {
            panel::<S, TRANS, 6, 1>(simd, at, c);
            j += 8;
        } else {
            column::<S, TRANS>(at, c);
            j += 1;
        }
    }
}

/// The columns of `C` from `j` on.
#[derive(Clone, Copy)]
struct Panel<'a> {
    m: usize,
    k: usize,
    a: Matrix<'a>,
    b: Matrix<'a>,
    ldc: usize,
    j: usize,
    add: bool,
}

/// Computes `8 V` columns, in blocks of `MR` rows.
#[inline(always)]
fn panel<S: Simd, const TRANS: bool, const MR: usize, const V: usize>(
    simd: S,
    at: Panel<'_>,
    c: &mut [f32],
) {
    let mut i = 0;
    while i + MR <= at.m {
        block::<S, TRANS, MR, V>(simd, at, c, i);
        i += MR;
    }
    if MR > 4 && i + 4 <= at.m {
        block::<S, TRANS, 4, V>(simd, at, c, i);
        i += 4;
    }
    match at.m - i {
        3 => block::<S, TRANS, 3, V>(simd, at, c, i),
        2 => block::<S, TRANS, 2, V>(simd, at, c, i),
        1 => block::<S, TRANS, 1, V>(simd, at, c, i),
        _ => {}
    }
}

/// Computes `MR` rows of `8 V` columns of `C` from row `i` on.
#[inline(always)]
fn block<S: Simd, const TRANS: bool, const MR: usize, const V: usize>(
    simd: S,
    at: Panel<'_>,
    c: &mut [f32],
    i: usize,
) {
    let Panel { k, a, b, ldc, j, add, .. } = at;
    let mut sums = [[simd.splat(0.0); V]; MR];
    let mut row = [simd.splat(0.0); V];
    // Elements of A are read where they are used: read ahead they would take the registers of the
    // sums.
    if TRANS {
        for p in 0..k {
            let from = &b.data[p * b.stride + j..][..8 * V];
            six!(v, V, { row[v] = simd.load(lanes(from, 8 * v)) });
            let column: &[f32; MR] = lanes(a.data, p * a.stride + i);
            six!(r, MR, {
                let a = simd.splat(column[r]);
                six!(v, V, { sums[r][v] = simd.madd(a, row[v], sums[r][v]) });
            });
        }
    } else {
        // Rows sliced to `k` here need no bounds check inside the loop.
        let mut rows: [&[f32]; MR] = [&[]; MR];
        six!(r, MR, { rows[r] = &a.data[(i + r) * a.stride..][..k] });
        #[expect(
            clippy::needless_range_loop,
            reason = "`p` is a column of six rows and a row of `b`"
        )]
        for p in 0..k {
            let from = &b.data[p * b.stride + j..][..8 * V];
            six!(v, V, { row[v] = simd.load(lanes(from, 8 * v)) });
            six!(r, MR, {
                let a = simd.splat(rows[r][p]);
                six!(v, V, { sums[r][v] = simd.madd(a, row[v], sums[r][v]) });
            });
        }
    }
    six!(r, MR, {
        let row = &mut c[(i + r) * ldc + j..][..8 * V];
        six!(v, V, {
            let sum =
                if add { simd.add(simd.load(lanes(row, 8 * v)), sums[r][v]) } else { sums[r][v] };
            row[8 * v..][..8].copy_from_slice(&simd.store(sum));
        });
    });
}

/// Computes column `j` alone, for widths that are no multiple of eight.
#[inline(always)]
fn column<S: Simd, const TRANS: bool>(at: Panel<'_>, c: &mut [f32]) {
    let Panel { m, k, a, b, ldc, j, add } = at;
    for i in 0..m {
        let mut sum = 0.0;
        for p in 0..k {
            let a = if TRANS { a.data[p * a.stride + i] } else { a.data[i * a.stride + p] };
            sum = madd::<S>(a, b.data[p * b.stride + j], sum);
        }
        c[i * ldc + j] = if add { c[i * ldc + j] + sum } else { sum };
    }
}

/// Transposes and scales a matrix of `rows x columns`: `out[c * ld + r] = scale * a[r][c]`.
///
/// `ld` is a multiple of eight; the columns of `out` from `rows` to `ld` are set to zero.
#[inline(always)]
pub(crate) fn transpose<S: Simd>(
    simd: S,
    [rows, columns]: [usize; 2],
    a: Matrix<'_>,
    scale: f32,
    out: &mut [f32],
    ld: usize,
) {
    let factor = simd.splat(scale);
    for r in (0..ld).step_by(8) {
        let some = rows.saturating_sub(r).min(8);
        let whole = columns / 8 * 8;
        for c in (0..whole).step_by(8) {
            let mut square = [simd.splat(0.0); 8];
            eight!(i, some, {
                square[i] = simd.mul(simd.load(lanes(a.data, (r + i) * a.stride + c)), factor)
            });
            let square = simd.transpose(square);
            eight!(i, 8, { out[(c + i) * ld + r..][..8].copy_from_slice(&simd.store(square[i])) });
        }
        for c in whole..columns {
            let run = &mut out[c * ld + r..][..8];
            run.fill(0.0);
            for (i, v) in run[..some].iter_mut().enumerate() {
                *v = a.data[(r + i) * a.stride + c] * scale;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::simd::{Baseline, Kernel, vectorised};

    struct Product<'a>([usize; 3], Matrix<'a>, Matrix<'a>, &'a mut [f32]);

    impl Kernel for Product<'_> {
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            let out = Output { data: self.3, stride: self.0[1], add: false };
            gemm::<S, false>(simd, self.0, self.1, self.2, out);
        }
    }

    struct Across<'a>([usize; 2], Matrix<'a>, &'a mut [f32]);

    impl Kernel for Across<'_> {
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            transpose(simd, self.0, self.1, 2.0, self.2, self.0[0].next_multiple_of(8));
        }
    }

    #[test]
    fn every_size_equals_the_plain_sum() {
        for m in 1..14 {
            for n in 1..60 {
                let k = 1 + (m * n) % 19;
                let a: Vec<f32> = (0..m * (k + 2)).map(|i| ((i * 5) % 13) as f32 - 6.0).collect();
                let b: Vec<f32> = (0..k * (n + 1)).map(|i| ((i * 7) % 11) as f32 - 5.0).collect();
                let at: Vec<f32> = (0..k * m).map(|i| a[(i % m) * (k + 2) + i / m]).collect();
                let want: Vec<f32> = (0..m * n)
                    .map(|i| {
                        (0..k).map(|p| a[(i / n) * (k + 2) + p] * b[p * (n + 1) + i % n]).sum()
                    })
                    .collect();
                let b = Matrix { data: &b, stride: n + 1 };
                let (a, at) = (Matrix { data: &a, stride: k + 2 }, Matrix { data: &at, stride: m });
                let mut c = vec![0.0; m * n];
                vectorised(Product([m, n, k], a, b, &mut c));
                assert_eq!(c, want);
                c.fill(0.0);
                let out = Output { data: &mut c, stride: n, add: false };
                gemm::<Baseline, true>(Baseline, [m, n, k], at, b, out);
                assert_eq!(c, want);
                let out = Output { data: &mut c, stride: n, add: true };
                gemm::<Baseline, true>(Baseline, [m, n, k], at, b, out);
                assert!(c.iter().zip(&want).all(|(c, want)| *c == 2.0 * want));
                let ld = m.next_multiple_of(8);
                for simd in [true, false] {
                    let mut t = vec![1.0; k * ld];
                    let across = Across([m, k], a, &mut t);
                    if simd {
                        vectorised(across)
                    } else {
                        across.run(Baseline)
                    }
                    for p in 0..k {
                        for i in 0..ld {
                            assert_eq!(
                                t[p * ld + i],
                                if i < m { 2.0 * at.data[p * m + i] } else { 0.0 }
                            );
                        }
                    }
                }
            }
        }
    }
}
