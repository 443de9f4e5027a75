//! The arithmetic of one head.

use super::layout::Sizes;
use crate::cpu::simd::{Kernel, Simd};
use crate::matmul::gemm::{Matrix, Output, gemm};
use crate::matmul::transpose::transpose;
use crate::ops::dropout::drop_elements;
use crate::ops::softmax::{normalise, normalise_backward};

/// Scratch memory for one head: its scores, its probabilities if they were not saved, its
/// transposed keys or values, and a packed matrix.
pub(super) struct Scratch(Vec<f32>);

/// Distance in elements, over all rows, above which rows are packed before a product reads them
/// repeatedly: they would fall into the same few sets of the first-level cache.
const SPREAD: usize = 8192;

impl Scratch {
    pub(super) fn new(sizes: &Sizes) -> Self {
        let packed = sizes.keys.max(sizes.queries) * sizes.width;
        Self(vec![0.0; 2 * sizes.scores() + sizes.padded() * sizes.width + packed])
    }

    /// Splits the memory into scores, probabilities, and the rest.
    pub(super) fn split(&mut self, sizes: &Sizes) -> [&mut [f32]; 3] {
        let (scores, rest) = self.0.split_at_mut(sizes.scores());
        let (probabilities, rest) = rest.split_at_mut(sizes.scores());
        [scores, probabilities, rest]
    }
}

/// Returns `rows x width` elements of `x`, packed into `room` if they are far apart.
#[inline(always)]
fn packed<'a>(x: Matrix<'a>, rows: usize, width: usize, room: &'a mut [f32]) -> Matrix<'a> {
    if x.stride == width || rows * x.stride <= SPREAD {
        return x;
    }
    for (i, out) in room.chunks_exact_mut(width).take(rows).enumerate() {
        out.copy_from_slice(&x.data[i * x.stride..][..width]);
    }
    Matrix { data: room, stride: width }
}

/// The inputs of one head.
#[derive(Clone, Copy)]
pub(super) struct Head<'a> {
    pub(super) sizes: Sizes,
    pub(super) scale: f32,
    pub(super) q: Matrix<'a>,
    pub(super) k: Matrix<'a>,
    pub(super) v: Matrix<'a>,
    pub(super) bias: Option<(Matrix<'a>, bool)>,
    /// Dropout on the probabilities: a byte for each of `[queries, keys]`, and the factor.
    pub(super) dropout: Option<(&'a [u8], f32)>,
}

impl Head<'_> {
    /// Applies dropout to `p`.
    #[inline(always)]
    fn drop(&self, p: &mut [f32]) {
        let Some((keep, scale)) = self.dropout else { return };
        let (keys, ld) = (self.sizes.keys, self.sizes.padded());
        for (p, keep) in p.chunks_exact_mut(ld).zip(keep.chunks_exact(keys)) {
            drop_elements(p, keep, scale);
        }
    }

    /// Computes `p = softmax(q k' * scale + bias)`. Every call makes the same sums in the same
    /// order, so that recomputed probabilities have the same bits.
    #[inline(always)]
    fn probabilities<S: Simd>(&self, simd: S, p: &mut [f32], keys_across: &mut [f32]) {
        let Sizes { queries, keys, width, .. } = self.sizes;
        let ld = self.sizes.padded();
        // The scale goes into the transposed keys: fewer elements than the scores.
        transpose(simd, (self.k.data, self.k.stride), [keys, width], self.scale, keys_across, ld);
        let keys_across = Matrix { data: keys_across, stride: ld };
        let scores = Output { data: &mut *p, stride: ld, add: false };
        gemm([queries, ld, width], self.q, false, keys_across, scores);
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

/// The forward pass of one head.
pub(super) struct Forward<'a> {
    pub(super) head: Head<'a>,
    pub(super) probabilities: &'a mut [f32],
    /// Scratch memory for the probabilities after dropout.
    pub(super) dropped: &'a mut [f32],
    pub(super) scratch: &'a mut [f32],
    pub(super) out: &'a mut [f32],
    /// Distance of the rows of `out`.
    pub(super) row: usize,
}

impl Kernel for Forward<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Sizes { queries, keys, width, .. } = self.head.sizes;
        let ld = self.head.sizes.padded();
        let p = self.probabilities;
        let (keys_across, room) = self.scratch.split_at_mut(ld * width);
        self.head.probabilities(simd, p, keys_across);
        let p = match self.head.dropout {
            None => p,
            Some(_) => {
                self.dropped.copy_from_slice(p);
                self.head.drop(self.dropped);
                self.dropped
            }
        };
        let v = packed(self.head.v, keys, width, room);
        let out = Output { data: self.out, stride: self.row, add: false };
        gemm([queries, width, keys], Matrix { data: p, stride: ld }, false, v, out);
    }
}

/// The backward pass of one head. With `p` the probabilities and `g` the gradient of the output:
/// `dv = p' g`, `ds = p (g v' - rowsum(p (g v'))) scale`, `dq = ds k`, `dk = ds' q`.
pub(super) struct Backward<'a> {
    pub(super) head: Head<'a>,
    pub(super) g: Matrix<'a>,
    /// The saved probabilities, or scratch memory to recompute them in.
    pub(super) probabilities: Result<&'a [f32], &'a mut [f32]>,
    pub(super) scores: &'a mut [f32],
    pub(super) scratch: &'a mut [f32],
    /// Gradients of q, k and v, if wanted.
    pub(super) outputs: [Option<&'a mut [f32]>; 3],
    /// Distances between the rows of the gradients.
    pub(super) rows: [usize; 3],
    /// `true` adds the gradients of k and v to the values that are there.
    pub(super) add: bool,
}

impl Kernel for Backward<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Head { sizes: Sizes { queries, keys, width, .. }, scale, q, k, v, .. } = self.head;
        let ld = self.head.sizes.padded();
        let [dq, dk, dv] = self.outputs;
        let (across, room) = self.scratch.split_at_mut(ld * width);
        let probabilities = match self.probabilities {
            Ok(saved) => saved,
            Err(p) => {
                self.head.probabilities(simd, p, across);
                p
            }
        };
        let ds = self.scores;
        if let Some(dv) = dv {
            let g = packed(self.g, queries, width, room);
            let mut p = probabilities;
            if self.head.dropout.is_some() {
                ds.copy_from_slice(p);
                self.head.drop(ds);
                p = &*ds;
            }
            let out = Output { data: dv, stride: self.rows[2], add: self.add };
            gemm([keys, width, queries], Matrix { data: p, stride: ld }, true, g, out);
        }
        if dq.is_none() && dk.is_none() {
            return;
        }
        transpose(simd, (v.data, v.stride), [keys, width], 1.0, across, ld);
        let values_across = Matrix { data: across, stride: ld };
        let out = Output { data: &mut *ds, stride: ld, add: false };
        gemm([queries, ld, width], self.g, false, values_across, out);
        self.head.drop(ds);
        normalise_backward(simd, ds, probabilities, ld, scale);
        let ds = Matrix { data: ds, stride: ld };
        if let Some(dq) = dq {
            let k = packed(k, keys, width, room);
            let out = Output { data: dq, stride: self.rows[0], add: false };
            gemm([queries, width, keys], ds, false, k, out);
        }
        if let Some(dk) = dk {
            let q = packed(q, queries, width, room);
            let out = Output { data: dk, stride: self.rows[1], add: self.add };
            gemm([keys, width, queries], ds, true, q, out);
        }
    }
}
