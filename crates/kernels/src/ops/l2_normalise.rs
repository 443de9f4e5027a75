//! Rows of length 1.

use std::sync::Arc;

use burn::tensor::Tensor;
use burn_flex::FlexTensor;

use crate::cpu::buffer::{block_of_rows, contiguous, each_block, width};
use crate::cpu::simd::{Kernel, Simd, vectorised};
use crate::cpu::vector::{dot, madd};
use crate::graph::{Fused, apply};

/// Smallest square of a length.
// Under the root, where it also keeps the gradient of a zero vector finite.
const SMALLEST_SQUARE: f32 = 1e-24;

/// Computes `x / |x|` over the last dimension; a length below 1e-12 counts as 1e-12.
#[must_use]
pub fn l2_normalise<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    apply(L2Normalise, x).unwrap_or_else(|x| {
        let square = (x.clone() * x.clone()).sum_dim(D - 1);
        x / square.clamp_min(f64::from(SMALLEST_SQUARE)).sqrt()
    })
}

/// `x / max(|x|, 1e-12)` in each row.
#[derive(Clone, Debug)]
struct L2Normalise;

/// The forward pass: replaces each row by its direction and notes its length, negative if it is the
/// smallest one.
struct Rows<'a> {
    rows: &'a mut [f32],
    lengths: &'a mut [f32],
}

impl Kernel for Rows<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let width = self.rows.len() / self.lengths.len();
        for (row, length) in self.rows.chunks_exact_mut(width).zip(self.lengths) {
            let square = dot(simd, row, row);
            // Written so that NaN stays.
            let short = square < SMALLEST_SQUARE;
            let by = if short { SMALLEST_SQUARE } else { square }.sqrt();
            for x in row {
                *x /= by;
            }
            *length = if short { -by } else { by };
        }
    }
}

/// The backward pass: replaces each row `g` by `(g - y sum(g y)) / |x|`, and by `g / |x|` where the
/// length is the smallest one, and so a constant.
struct RowsBackward<'a> {
    grad: &'a mut [f32],
    y: &'a [f32],
    lengths: &'a [f32],
}

impl Kernel for RowsBackward<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let width = self.grad.len() / self.lengths.len();
        let rows = self.grad.chunks_exact_mut(width).zip(self.y.chunks_exact(width));
        for ((grad, y), &length) in rows.zip(self.lengths) {
            let along = if length < 0.0 { 0.0 } else { dot(simd, grad, y) };
            for (g, &y) in grad.iter_mut().zip(y) {
                *g = madd::<S>(y, -along, *g) / length.abs();
            }
        }
    }
}

impl Fused<1> for L2Normalise {
    /// The output, and the length of each row.
    type Saved = (FlexTensor, Arc<Vec<f32>>);

    fn forward(&self, [x]: [FlexTensor; 1], save: bool) -> (FlexTensor, Option<Self::Saved>) {
        let mut x = contiguous(x);
        let width = width(&x);
        let rows: &mut [f32] = x.storage_mut();
        let mut lengths = vec![0.0; rows.len() / width];
        vectorised(Rows { rows, lengths: &mut lengths });
        let saved = save.then(|| (x.clone(), Arc::new(lengths)));
        (x, saved)
    }

    fn backward(
        &self,
        (y, lengths): Self::Saved,
        grad: FlexTensor,
        _: [bool; 1],
    ) -> [Option<FlexTensor>; 1] {
        let mut grad = contiguous(grad);
        let (width, y): (usize, &[f32]) = (width(&grad), y.storage());
        each_block(grad.storage_mut(), block_of_rows(width), |at, grad| {
            let rows = at / width..(at + grad.len()) / width;
            let y = &y[at..at + grad.len()];
            vectorised(RowsBackward { grad, y, lengths: &lengths[rows] });
        });
        [Some(grad)]
    }
}
