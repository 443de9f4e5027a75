//! Products of a few rows with a large matrix, as a language model makes for every token that it
//! writes. They are bound by reading the matrix: it is read once, front to back, on all threads.

use burn_flex::FlexTensor;

use super::split::{DEPTH, in_pieces, whole_sum};
use crate::cpu::simd::{Kernel, Simd, vectorised};
use crate::cpu::vector::{lanes, madd};

/// Columns that are worked on at a time: [`DEPTH`] rows of them stay in the first-level cache for
/// all rows of `x`.
const COLUMNS: usize = 1024;

/// Computes `y [rows, n] = x [rows, k] w [k, n]`, both contiguous.
pub(super) fn times(x: FlexTensor, w: FlexTensor, rows: usize, n: usize) -> Vec<f32> {
    let k = x.storage::<f32>().len() / rows;
    in_pieces([k, n], rows * n, move |run, sums| {
        let (x, w): (&[f32], &[f32]) = (x.storage(), w.storage());
        vectorised(Times { x, w: &w[run.start * n..run.end * n], first: run.start, k, n, sums });
    })
}

/// The product with rows `first..` of the matrix, as many as `w` holds.
struct Times<'a> {
    x: &'a [f32],
    w: &'a [f32],
    first: usize,
    k: usize,
    n: usize,
    sums: &'a mut [f32],
}

impl Kernel for Times<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { x, w, first, k, n, sums } = self;
        for (i, four) in w.chunks(DEPTH * n).enumerate() {
            let at = first + i * DEPTH;
            let depth = four.len() / n;
            if depth == DEPTH {
                for from in (0..n).step_by(COLUMNS) {
                    let width = COLUMNS.min(n - from);
                    let w: [&[f32]; DEPTH] =
                        std::array::from_fn(|d| &four[d * n + from..][..width]);
                    let mut rows = x
                        .chunks_exact(k)
                        .zip(sums.chunks_exact_mut(n).map(|sums| &mut sums[from..][..width]));
                    while let Some((x0, s0)) = rows.next() {
                        let x0 = lanes(x0, at);
                        match rows.next() {
                            Some((x1, s1)) => two_rows(simd, [x0, lanes(x1, at)], w, s0, s1),
                            None => one_row(simd, x0, w, s0),
                        }
                    }
                }
            } else {
                for (d, row) in four.chunks_exact(n).enumerate() {
                    for (x, sums) in x.chunks_exact(k).zip(sums.chunks_exact_mut(n)) {
                        for (sum, w) in sums.iter_mut().zip(row) {
                            *sum = madd::<S>(x[at + d], *w, *sum);
                        }
                    }
                }
            }
        }
    }
}

/// Adds `x[0] w[0] + .. + x[3] w[3]` to `sums`.
// The slices are iterated together: an index into each would be checked every time.
#[inline(always)]
fn one_row<S: Simd>(simd: S, x: &[f32; DEPTH], w: [&[f32]; DEPTH], sums: &mut [f32]) {
    let v = x.map(|x| simd.splat(x));
    let (whole, tail) = sums.as_chunks_mut::<8>();
    let ([(w0, t0), (w1, t1)], [(w2, t2), (w3, t3)]) = (
        [w[0].as_chunks::<8>(), w[1].as_chunks::<8>()],
        [w[2].as_chunks::<8>(), w[3].as_chunks::<8>()],
    );
    for ((((sum, w0), w1), w2), w3) in whole.iter_mut().zip(w0).zip(w1).zip(w2).zip(w3) {
        let mut s = simd.load(sum);
        s = simd.madd(v[0], simd.load(w0), s);
        s = simd.madd(v[1], simd.load(w1), s);
        s = simd.madd(v[2], simd.load(w2), s);
        s = simd.madd(v[3], simd.load(w3), s);
        *sum = simd.store(s);
    }
    for ((((sum, w0), w1), w2), w3) in tail.iter_mut().zip(t0).zip(t1).zip(t2).zip(t3) {
        *sum = madd::<S>(
            x[3],
            *w3,
            madd::<S>(x[2], *w2, madd::<S>(x[1], *w1, madd::<S>(x[0], *w0, *sum))),
        );
    }
}

/// Computes [`one_row`] for two rows, reading the matrix once.
#[inline(always)]
fn two_rows<S: Simd>(
    simd: S,
    x: [&[f32; DEPTH]; 2],
    w: [&[f32]; DEPTH],
    a: &mut [f32],
    b: &mut [f32],
) {
    let [va, vb] = x.map(|x| x.map(|x| simd.splat(x)));
    let whole = a.len() / 8 * 8;
    let ((a8, _), (b8, _)) = (a.as_chunks_mut::<8>(), b.as_chunks_mut::<8>());
    let [(w0, _), (w1, _), (w2, _), (w3, _)] = w.map(|w| w.as_chunks::<8>());
    for (((((a, b), w0), w1), w2), w3) in a8.iter_mut().zip(b8).zip(w0).zip(w1).zip(w2).zip(w3) {
        let (mut s, mut t) = (simd.load(a), simd.load(b));
        let (w0, w1, w2, w3) = (simd.load(w0), simd.load(w1), simd.load(w2), simd.load(w3));
        s = simd.madd(va[0], w0, s);
        t = simd.madd(vb[0], w0, t);
        s = simd.madd(va[1], w1, s);
        t = simd.madd(vb[1], w1, t);
        s = simd.madd(va[2], w2, s);
        t = simd.madd(vb[2], w2, t);
        s = simd.madd(va[3], w3, s);
        t = simd.madd(vb[3], w3, t);
        *a = simd.store(s);
        *b = simd.store(t);
    }
    let rest = w.map(|w| &w[whole..]);
    one_row(simd, x[0], rest, &mut a[whole..]);
    one_row(simd, x[1], rest, &mut b[whole..]);
}

/// `out [rows of w, rows of x] = w x'`, both rows of `k`.
pub(super) struct Dots<'a> {
    pub(super) x: &'a [f32],
    pub(super) w: &'a [f32],
    pub(super) k: usize,
    pub(super) rows: usize,
    pub(super) out: &'a mut [f32],
}

impl Kernel for Dots<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { x, w, k, rows, out } = self;
        for (w, out) in w.chunks_exact(k).zip(out.chunks_exact_mut(rows)) {
            let (fours, rest) = out.as_chunks_mut::<4>();
            let mut x = x.chunks_exact(k);
            for out in fours {
                if let (Some(a), Some(b), Some(c), Some(d)) =
                    (x.next(), x.next(), x.next(), x.next())
                {
                    *out = four_dots(simd, w, [a, b, c, d]);
                }
            }
            for (out, x) in rest.iter_mut().zip(x) {
                *out = four_dots(simd, w, [x; 4])[0];
            }
        }
    }
}

/// Returns the products of `w` with four rows. A row's sum is the same in each of the four places.
#[inline(always)]
fn four_dots<S: Simd>(simd: S, w: &[f32], x: [&[f32]; 4]) -> [f32; 4] {
    let mut sums = [[simd.splat(0.0); 2]; 4];
    let (w16, w_rest) = w.as_chunks::<16>();
    let [(a, a_rest), (b, b_rest), (c, c_rest), (d, d_rest)] = x.map(|x| x.as_chunks::<16>());
    for ((((w, a), b), c), d) in w16.iter().zip(a).zip(b).zip(c).zip(d) {
        let ([w0, w1], _) = w.as_chunks::<8>() else { unreachable!("sixteen are two times eight") };
        let (w0, w1) = (simd.load(w0), simd.load(w1));
        let [s, t, u, v] = &mut sums;
        for (sum, x) in [(s, a), (t, b), (u, c), (v, d)] {
            let ([x0, x1], _) = x.as_chunks::<8>() else {
                unreachable!("sixteen are two times eight")
            };
            *sum = [simd.madd(w0, simd.load(x0), sum[0]), simd.madd(w1, simd.load(x1), sum[1])];
        }
    }
    let rests = [a_rest, b_rest, c_rest, d_rest];
    let mut out = [0.0; 4];
    for ((out, sums), rest) in out.iter_mut().zip(sums).zip(rests) {
        *out = whole_sum(simd, sums, rest, w_rest);
    }
    out
}
