//! The arithmetic of one head.

use super::Sizes;
use crate::gemm::{Matrix, gemm, transpose};
use crate::simd::{Kernel, Simd};
use crate::softmax::{normalise, normalise_backward};

/// Room for one head's scores, its transposed keys or values, and a packed matrix.
pub(crate) struct Scratch(Vec<f32>);

/// Rows whose distances add up to more than this many elements are copied together before a product reads them again and again: they
/// would fall into the same few sets of the first-level cache.
const SPREAD: usize = 8192;

impl Scratch {
    pub(crate) fn new(sizes: &Sizes) -> Self {
        let packed = sizes.keys.max(sizes.queries) * sizes.width;
        Self(vec![0.0; sizes.scores() + sizes.padded() * sizes.width + packed])
    }

    /// The scores, and the rest.
    pub(crate) fn split(&mut self, sizes: &Sizes) -> (&mut [f32], &mut [f32]) {
        self.0.split_at_mut(sizes.scores())
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

/// Probabilities and output of one head.
pub(crate) struct Forward<'a> {
    pub(crate) sizes: Sizes,
    pub(crate) scale: f32,
    pub(crate) q: Matrix<'a>,
    pub(crate) k: Matrix<'a>,
    pub(crate) v: Matrix<'a>,
    pub(crate) bias: Option<(Matrix<'a>, bool)>,
    pub(crate) probabilities: &'a mut [f32],
    pub(crate) scratch: &'a mut [f32],
    pub(crate) out: &'a mut [f32],
    /// Distance of the rows of `out`.
    pub(crate) row: usize,
}

impl Kernel for Forward<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Sizes { queries, keys, width, .. } = self.sizes;
        let ld = self.sizes.padded();
        let p = self.probabilities;
        let (keys_across, room) = self.scratch.split_at_mut(ld * width);
        // The scale goes into the transposed keys: fewer elements than the scores.
        transpose(simd, [keys, width], self.k, self.scale, keys_across, ld);
        gemm::<S, false>(simd, [queries, ld, width], self.q, Matrix { data: keys_across, stride: ld }, p, ld);
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
        let v = near(self.v, keys, width, room);
        gemm::<S, false>(simd, [queries, width, keys], Matrix { data: p, stride: ld }, v, self.out, self.row);
    }
}

/// Gradients of one head: with `p` the probabilities and `g` the gradient of the output,
/// `dv = p' g`, `ds = p (g v' - rowsum(p (g v'))) scale`, `dq = ds k`, `dk = ds' q`.
pub(crate) struct Backward<'a> {
    pub(crate) sizes: Sizes,
    pub(crate) scale: f32,
    pub(crate) q: Matrix<'a>,
    pub(crate) k: Matrix<'a>,
    pub(crate) v: Matrix<'a>,
    pub(crate) g: Matrix<'a>,
    pub(crate) probabilities: &'a [f32],
    pub(crate) scores: &'a mut [f32],
    pub(crate) scratch: &'a mut [f32],
    /// Of q, k and v, where wanted.
    pub(crate) outputs: [Option<&'a mut [f32]>; 3],
    /// Distances of their rows.
    pub(crate) rows: [usize; 3],
}

impl Kernel for Backward<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Sizes { queries, keys, width, .. } = self.sizes;
        let ld = self.sizes.padded();
        let [dq, dk, dv] = self.outputs;
        let p = Matrix { data: self.probabilities, stride: ld };
        let (values_across, room) = self.scratch.split_at_mut(ld * width);
        if let Some(dv) = dv {
            let g = near(self.g, queries, width, room);
            gemm::<S, true>(simd, [keys, width, queries], p, g, dv, self.rows[2]);
        }
        if dq.is_none() && dk.is_none() {
            return;
        }
        let ds = self.scores;
        transpose(simd, [keys, width], self.v, 1.0, values_across, ld);
        gemm::<S, false>(simd, [queries, ld, width], self.g, Matrix { data: values_across, stride: ld }, ds, ld);
        normalise_backward(simd, ds, self.probabilities, ld, self.scale);
        let ds = Matrix { data: ds, stride: ld };
        if let Some(dq) = dq {
            let k = near(self.k, keys, width, room);
            gemm::<S, false>(simd, [queries, width, keys], ds, k, dq, self.rows[0]);
        }
        if let Some(dk) = dk {
            let q = near(self.q, queries, width, room);
            gemm::<S, true>(simd, [keys, width, queries], ds, q, dk, self.rows[1]);
        }
    }
}
