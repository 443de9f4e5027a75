//! The arithmetic of one head.

use super::Sizes;
use crate::dropout::drop_elements;
use crate::gemm::{Matrix, gemm, transpose};
use crate::simd::{Kernel, Simd};
use crate::softmax::{normalise, normalise_backward};

/// Room for one head's scores, its probabilities where they were not kept, its transposed keys or
/// values, and a packed matrix.
pub(crate) struct Scratch(Vec<f32>);

/// Rows whose distances add up to more than this many elements are copied together before a product
/// reads them again and again: they would fall into the same few sets of the first-level cache.
const SPREAD: usize = 8192;

impl Scratch {
    pub(crate) fn new(sizes: &Sizes) -> Self {
        let packed = sizes.keys.max(sizes.queries) * sizes.width;
        Self(vec![0.0; 2 * sizes.scores() + sizes.padded() * sizes.width + packed])
    }

    /// Scores, probabilities, and the rest.
    pub(crate) fn split(&mut self, sizes: &Sizes) -> [&mut [f32]; 3] {
        let (scores, rest) = self.0.split_at_mut(sizes.scores());
        let (probabilities, rest) = rest.split_at_mut(sizes.scores());
        [scores, probabilities, rest]
    }
}

/// `rows x width` elements of `x`, copied into `room` if they lie far apart.
#[inline(always)]
fn near<'a>(x: Matrix<'a>, rows: usize, width: usize, room: &'a mut [f32]) -> Matrix<'a> {
    if x.stride == width || rows * x.stride <= SPREAD {
        return x;
    }
    for (i, out) in room.chunks_exact_mut(width).take(rows).enumerate() {
        out.copy_from_slice(&x.data[i * x.stride..][..width]);
    }
    Matrix { data: room, stride: width }
}

/// What one head reads.
#[derive(Clone, Copy)]
pub(crate) struct Head<'a> {
    pub(crate) sizes: Sizes,
    pub(crate) scale: f32,
    pub(crate) q: Matrix<'a>,
    pub(crate) k: Matrix<'a>,
    pub(crate) v: Matrix<'a>,
    pub(crate) bias: Option<(Matrix<'a>, bool)>,
    /// What dropout leaves of the probabilities, `[queries, keys]`, and what it multiplies them
    /// with.
    pub(crate) keep: Option<(&'a [u8], f32)>,
}

impl Head<'_> {
    /// `p` becomes what dropout leaves of it.
    #[inline(always)]
    fn drop(&self, p: &mut [f32]) {
        let Some((keep, scale)) = self.keep else { return };
        let (keys, ld) = (self.sizes.keys, self.sizes.padded());
        for (p, keep) in p.chunks_exact_mut(ld).zip(keep.chunks_exact(keys)) {
            drop_elements(p, keep, scale);
        }
    }

    /// `p = softmax(q k' * scale + bias)`. The same sums in the same order whenever it is called,
    /// so that probabilities that are made again are those that were.
    #[inline(always)]
    fn probabilities<S: Simd>(&self, simd: S, p: &mut [f32], keys_across: &mut [f32]) {
        let Sizes { queries, keys, width, .. } = self.sizes;
        let ld = self.sizes.padded();
        // The scale goes into the transposed keys: fewer elements than the scores.
        transpose(simd, [keys, width], self.k, self.scale, keys_across, ld);
        let keys_across = Matrix { data: keys_across, stride: ld };
        gemm::<S, false>(simd, [queries, ld, width], self.q, keys_across, p, ld, false);
        for (i, scores) in p.chunks_exact_mut(ld).enumerate() {
            if let Some((bias, one_for_all_keys)) = self.bias {
                let bias = &bias.data[i * bias.stride..];
                if one_for_all_keys {
                    for s in &mut scores[..keys] {
                        *s += bias[0];
                    }
                } else {
                    for (s, b) in scores[..keys].iter_mut().zip(bias) {
                        *s += b;
                    }
                }
            }
            // The padding gets no probability.
            scores[keys..].fill(f32::NEG_INFINITY);
        }
        normalise(simd, p, ld);
    }
}

/// Probabilities and output of one head.
pub(crate) struct Forward<'a> {
    pub(crate) head: Head<'a>,
    pub(crate) probabilities: &'a mut [f32],
    /// Room for those that dropout leaves.
    pub(crate) dropped: &'a mut [f32],
    pub(crate) scratch: &'a mut [f32],
    pub(crate) out: &'a mut [f32],
    /// Distance of the rows of `out`.
    pub(crate) row: usize,
}

impl Kernel for Forward<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Sizes { queries, keys, width, .. } = self.head.sizes;
        let ld = self.head.sizes.padded();
        let p = self.probabilities;
        let (keys_across, room) = self.scratch.split_at_mut(ld * width);
        self.head.probabilities(simd, p, keys_across);
        let p = match self.head.keep {
            None => p,
            Some(_) => {
                self.dropped.copy_from_slice(p);
                self.head.drop(self.dropped);
                self.dropped
            }
        };
        let v = near(self.head.v, keys, width, room);
        gemm::<S, false>(
            simd,
            [queries, width, keys],
            Matrix { data: p, stride: ld },
            v,
            self.out,
            self.row,
            false,
        );
    }
}

/// Gradients of one head: with `p` the probabilities and `g` the gradient of the output,
/// `dv = p' g`, `ds = p (g v' - rowsum(p (g v'))) scale`, `dq = ds k`, `dk = ds' q`.
pub(crate) struct Backward<'a> {
    pub(crate) head: Head<'a>,
    pub(crate) g: Matrix<'a>,
    /// Those that were kept, or room for them.
    pub(crate) probabilities: Result<&'a [f32], &'a mut [f32]>,
    pub(crate) scores: &'a mut [f32],
    pub(crate) scratch: &'a mut [f32],
    /// Of q, k and v, where wanted.
    pub(crate) outputs: [Option<&'a mut [f32]>; 3],
    /// Distances of their rows.
    pub(crate) rows: [usize; 3],
    /// Whether the gradients of k and v are added to what is there.
    pub(crate) add: bool,
}

impl Kernel for Backward<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Head { sizes: Sizes { queries, keys, width, .. }, scale, q, k, v, .. } = self.head;
        let ld = self.head.sizes.padded();
        let [dq, dk, dv] = self.outputs;
        let (across, room) = self.scratch.split_at_mut(ld * width);
        let probabilities = match self.probabilities {
            Ok(kept) => kept,
            Err(p) => {
                self.head.probabilities(simd, p, across);
                p
            }
        };
        let ds = self.scores;
        if let Some(dv) = dv {
            let g = near(self.g, queries, width, room);
            let mut p = probabilities;
            if self.head.keep.is_some() {
                ds.copy_from_slice(p);
                self.head.drop(ds);
                p = &*ds;
            }
            gemm::<S, true>(
                simd,
                [keys, width, queries],
                Matrix { data: p, stride: ld },
                g,
                dv,
                self.rows[2],
                self.add,
            );
        }
        if dq.is_none() && dk.is_none() {
            return;
        }
        transpose(simd, [keys, width], v, 1.0, across, ld);
        gemm::<S, false>(
            simd,
            [queries, ld, width],
            self.g,
            Matrix { data: across, stride: ld },
            ds,
            ld,
            false,
        );
        self.head.drop(ds);
        normalise_backward(simd, ds, probabilities, ld, scale);
        let ds = Matrix { data: ds, stride: ld };
        if let Some(dq) = dq {
            let k = near(k, keys, width, room);
            gemm::<S, false>(simd, [queries, width, keys], ds, k, dq, self.rows[0], false);
        }
        if let Some(dk) = dk {
            let q = near(q, queries, width, room);
            gemm::<S, true>(simd, [keys, width, queries], ds, q, dk, self.rows[1], self.add);
        }
    }
}
