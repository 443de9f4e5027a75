//! Softmax over the last dimension.

use burn::tensor::{Tensor, activation};
use burn_flex::FlexTensor;

use crate::cpu::buffer::{block_of_rows, contiguous, each_block, width};
use crate::cpu::simd::{Kernel, Simd, vectorised};
use crate::cpu::vector::{dot, exp_negative, madd, max, sum};
use crate::graph::{Fused, apply};

/// Computes softmax over the last dimension.
#[must_use]
pub fn softmax<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    apply(Softmax, x).unwrap_or_else(|x| activation::softmax(x, D - 1))
}

/// `exp(x_i - max x) / sum_j exp(x_j - max x)` in each row.
#[derive(Clone, Debug)]
struct Softmax;

/// The forward pass of rows of `width`.
struct Rows<'a> {
    rows: &'a mut [f32],
    width: usize,
}

impl Kernel for Rows<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        normalise(simd, self.rows, self.width);
    }
}

/// Replaces each row of `width` by its softmax.
///
/// The exponentials are one loop over all rows: in loops over short rows most vector lanes would be
/// idle at the end of each.
#[inline(always)]
pub(crate) fn normalise<S: Simd>(simd: S, rows: &mut [f32], width: usize) {
    for row in rows.chunks_exact_mut(width) {
        let peak = max(simd, row);
        for v in row {
            *v -= peak;
        }
    }
    for v in rows.iter_mut() {
        *v = exp_negative::<S>(*v);
    }
    for row in rows.chunks_exact_mut(width) {
        let scale = 1.0 / sum(simd, row);
        for v in row {
            *v *= scale;
        }
    }
}

/// Replaces each row `g` of the output's gradient by the input's, `y (g - sum(y g)) * scale`.
#[inline(always)]
pub(crate) fn normalise_backward<S: Simd>(
    simd: S,
    grad: &mut [f32],
    y: &[f32],
    width: usize,
    scale: f32,
) {
    for (grad, y) in grad.chunks_exact_mut(width).zip(y.chunks_exact(width)) {
        let mean = dot(simd, grad, y) * -scale;
        for (g, &y) in grad.iter_mut().zip(y) {
            *g = y * madd::<S>(*g, scale, mean);
        }
    }
}

/// The backward pass of rows of `width`.
struct RowsBackward<'a> {
    grad: &'a mut [f32],
    y: &'a [f32],
    width: usize,
}

impl Kernel for RowsBackward<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        normalise_backward(simd, self.grad, self.y, self.width, 1.0);
    }
}

impl Fused<1> for Softmax {
    /// The output.
    type Saved = FlexTensor;

    fn forward(&self, [x]: [FlexTensor; 1], save: bool) -> (FlexTensor, Option<FlexTensor>) {
        let mut x = contiguous(x);
        let width = width(&x);
        each_block(x.storage_mut(), block_of_rows(width), |_, rows| {
            vectorised(Rows { rows, width })
        });
        let saved = save.then(|| x.clone());
        (x, saved)
    }

    fn backward(&self, y: FlexTensor, grad: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        let mut grad = contiguous(grad);
        let width = width(&grad);
        let y = y.storage();
        each_block(grad.storage_mut(), block_of_rows(width), |at, grad| {
            vectorised(RowsBackward { y: &y[at..at + grad.len()], grad, width });
        });
        [Some(grad)]
    }
}
