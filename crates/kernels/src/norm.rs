//! Layer normalisation, and root-mean-square normalisation as the same without mean and bias.

use std::sync::Arc;

use burn::tensor::Shape;
use burn_flex::FlexTensor;

use crate::buffer::{block_of_rows, build, contiguous, each_block_summed, parallel, tensor};
use crate::node::Fused;
use crate::simd::{Kernel, Simd, dot, madd, sum, vectorised};
use crate::softmax::width;

/// What the backward needs: the input, the weight, and for each row its mean and `1 / sqrt(variance
/// + eps)`.
#[derive(Clone, Debug)]
pub(crate) struct Saved {
    x: FlexTensor,
    weight: FlexTensor,
    rows: Arc<Vec<[f32; 2]>>,
}

/// `(x - mean) / sqrt(var + eps) * weight + bias` over the last dimension, variance biased.
#[derive(Clone, Debug)]
pub(crate) struct LayerNorm {
    pub(crate) eps: f32,
}

/// `x / sqrt(mean(x^2) + eps) * weight` over the last dimension.
#[derive(Clone, Debug)]
pub(crate) struct RmsNorm {
    pub(crate) eps: f32,
}

/// Mean (0 unless centred) and reciprocal deviation of each row.
struct Statistics<'a, const CENTRED: bool> {
    x: &'a [f32],
    width: usize,
    eps: f32,
    rows: &'a mut [[f32; 2]],
    scratch: &'a mut [f32],
}

impl<const CENTRED: bool> Kernel for Statistics<'_, CENTRED> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let per = 1.0 / self.width as f32;
        for (x, row) in self.x.chunks_exact(self.width).zip(self.rows) {
            let mean = if CENTRED { sum(simd, x) * per } else { 0.0 };
            let square = if CENTRED {
                // The mean is taken off first: `mean(x^2) - mean^2` loses all digits where the mean
                // is large.
                for (s, x) in self.scratch.iter_mut().zip(x) {
                    *s = x - mean;
                }
                dot(simd, self.scratch, self.scratch)
            } else {
                dot(simd, x, x)
            };
            *row = [mean, 1.0 / madd::<S>(square, per, self.eps).sqrt()];
        }
    }
}

/// The normalised rows, scaled and shifted.
struct Apply<'a, const CENTRED: bool> {
    x: &'a [f32],
    rows: &'a [[f32; 2]],
    weight: &'a [f32],
    bias: &'a [f32],
    out: &'a mut [f32],
}

impl<const CENTRED: bool> Kernel for Apply<'_, CENTRED> {
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let width = self.weight.len();
        let pairs = self.out.chunks_exact_mut(width).zip(self.x.chunks_exact(width));
        for ((out, x), &[mean, rstd]) in pairs.zip(self.rows) {
            if CENTRED {
                for (((out, &x), &w), &b) in out.iter_mut().zip(x).zip(self.weight).zip(self.bias) {
                    *out = madd::<S>((x - mean) * rstd, w, b);
                }
            } else {
                for ((out, &x), &w) in out.iter_mut().zip(x).zip(self.weight) {
                    *out = x * rstd * w;
                }
            }
        }
    }
}

/// Rows of the output's gradient `g` become those of the input's: with `h = (x - mean) rstd` and `u
/// = g weight`, `rstd (u - mean(u) - h mean(u h))`, without `mean(u)` unless centred. Adds `g h` to
/// the weight's gradient and `g` to the bias's.
struct Backward<'a, const CENTRED: bool> {
    grad: &'a mut [f32],
    x: &'a [f32],
    rows: &'a [[f32; 2]],
    weight: &'a [f32],
    partial: &'a mut [f32],
    scratch: &'a mut [f32],
}

impl<const CENTRED: bool> Kernel for Backward<'_, CENTRED> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let width = self.weight.len();
        let per = 1.0 / width as f32;
        let (by_weight, by_bias) = self.partial.split_at_mut(width);
        let hat = &mut self.scratch[..width];
        let pairs = self.grad.chunks_exact_mut(width).zip(self.x.chunks_exact(width));
        for ((grad, x), &[mean, rstd]) in pairs.zip(self.rows) {
            if CENTRED {
                for (by_bias, &g) in by_bias.iter_mut().zip(&*grad) {
                    *by_bias += g;
                }
            }
            for (((hat, &x), by_weight), &g) in
                hat.iter_mut().zip(x).zip(&mut *by_weight).zip(&*grad)
            {
                *hat = (x - mean) * rstd;
                *by_weight = madd::<S>(g, *hat, *by_weight);
            }
            for (g, &w) in grad.iter_mut().zip(self.weight) {
                *g *= w;
            }
            let first = if CENTRED { sum(simd, grad) * per } else { 0.0 };
            let second = dot(simd, grad, hat) * per;
            for (g, &hat) in grad.iter_mut().zip(&*hat) {
                *g = rstd * (*g - madd::<S>(hat, second, first));
            }
        }
    }
}

/// The forward of both; an empty `bias` is none.
fn forward<const CENTRED: bool>(
    x: FlexTensor,
    weight: FlexTensor,
    bias: &[f32],
    eps: f32,
    keep: bool,
) -> (FlexTensor, Option<Saved>) {
    let (x, weight) = (contiguous(x), contiguous(weight));
    let width = width(&x);
    let (values, scale): (&[f32], &[f32]) = (x.storage(), weight.storage());
    assert_eq!(scale.len(), width, "a weight of {} for rows of {width}", scale.len());
    let mut rows = vec![[0.0; 2]; values.len() / width];
    let block = block_of_rows(width);
    let statistics = |(x, rows): (&[f32], &mut [[f32; 2]])| {
        let scratch = &mut vec![0.0; width];
        vectorised(Statistics::<CENTRED> { x, width, eps, rows, scratch });
    };
    if parallel(values.len()) {
        use rayon::prelude::*;
        values.par_chunks(block).zip(rows.par_chunks_mut(block / width)).for_each(statistics);
    } else {
        statistics((values, &mut rows));
    }
    let out = build(values.len(), block, |at, out| {
        let x = &values[at..at + out.len()];
        vectorised(Apply::<CENTRED> { x, rows: &rows[at / width..], weight: scale, bias, out });
    });
    let out = tensor(out, x.layout().shape().clone());
    let saved = keep.then(|| Saved { x, weight, rows: Arc::new(rows) });
    (out, saved)
}

/// The backward of both: gradients of the input and, one after the other, of weight and bias.
fn backward<const CENTRED: bool>(saved: &Saved, grad: FlexTensor) -> (FlexTensor, Vec<f32>) {
    let mut grad = contiguous(grad);
    let (x, weight): (&[f32], &[f32]) = (saved.x.storage(), saved.weight.storage());
    let width = weight.len();
    let sums = each_block_summed(
        grad.storage_mut(),
        block_of_rows(width),
        2 * width,
        |at, grad, partial| {
            let (x, rows) = (&x[at..at + grad.len()], &saved.rows[at / width..]);
            let scratch = &mut vec![0.0; width];
            vectorised(Backward::<CENTRED> { grad, x, rows, weight, partial, scratch });
        },
    );
    (grad, sums)
}

impl Fused<3> for LayerNorm {
    type Saved = Saved;

    fn forward(
        &self,
        [x, weight, bias]: [FlexTensor; 3],
        keep: bool,
    ) -> (FlexTensor, Option<Saved>) {
        let bias = contiguous(bias);
        forward::<true>(x, weight, bias.storage(), self.eps, keep)
    }

    fn backward(&self, saved: Saved, grad: FlexTensor, _: [bool; 3]) -> [Option<FlexTensor>; 3] {
        let (grad, mut sums) = backward::<true>(&saved, grad);
        let bias = sums.split_off(sums.len() / 2);
        let shape = Shape::new([bias.len()]);
        [Some(grad), Some(tensor(sums, shape.clone())), Some(tensor(bias, shape))]
    }
}

impl Fused<2> for RmsNorm {
    type Saved = Saved;

    fn forward(&self, [x, weight]: [FlexTensor; 2], keep: bool) -> (FlexTensor, Option<Saved>) {
        forward::<false>(x, weight, &[], self.eps, keep)
    }

    fn backward(&self, saved: Saved, grad: FlexTensor, _: [bool; 2]) -> [Option<FlexTensor>; 2] {
        let (grad, mut sums) = backward::<false>(&saved, grad);
        sums.truncate(sums.len() / 2);
        let shape = Shape::new([sums.len()]);
        [Some(grad), Some(tensor(sums, shape))]
    }
}
