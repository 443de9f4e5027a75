//! Softmax over the last dimension.

use burn_flex::FlexTensor;

use crate::buffer::{block_of_rows, contiguous, each_block};
use crate::node::Fused;
use crate::simd::{Kernel, Simd, dot, exp_negative, madd, max, sum, vectorised};

/// `exp(x_i - max x) / sum_j exp(x_j - max x)` in each row.
#[derive(Clone, Debug)]
pub(crate) struct Softmax;

/// Rows of `width` become their softmax.
pub(crate) struct Rows<'a> {
    pub(crate) rows: &'a mut [f32],
    pub(crate) width: usize,
}

impl Kernel for Rows<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        normalise(simd, self.rows, self.width);
    }
}

/// Softmax of each row of `width`, in place.
///
/// The exponentials are one loop over all rows: short rows would leave most vector lanes idle at
/// their ends.
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

/// Rows of the output's gradient `g` become `y (g - sum(y g)) * scale`, the gradient before the
/// softmax.
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

/// Size of the last dimension.
pub(crate) fn width(x: &FlexTensor) -> usize {
    x.layout().shape().last().copied().unwrap_or(1)
}

impl Fused<1> for Softmax {
    /// The output.
    type Saved = FlexTensor;

    fn forward(&self, [x]: [FlexTensor; 1], keep: bool) -> (FlexTensor, Option<FlexTensor>) {
        let mut x = contiguous(x);
        let width = width(&x);
        each_block(x.storage_mut(), block_of_rows(width), |_, rows| {
            vectorised(Rows { rows, width })
        });
        let kept = keep.then(|| x.clone());
        (x, kept)
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
