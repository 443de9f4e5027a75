//! The arithmetic on rows.

use crate::cpu::simd::{Kernel, Simd};
use crate::cpu::vector::{dot, madd, sum};

/// Mean (0 unless centred) and reciprocal deviation of each row.
pub(super) struct Statistics<'a, const CENTRED: bool> {
    pub(super) x: &'a [f32],
    pub(super) width: usize,
    pub(super) eps: f32,
    pub(super) rows: &'a mut [[f32; 2]],
    pub(super) scratch: &'a mut [f32],
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
pub(super) struct Apply<'a, const CENTRED: bool> {
    pub(super) x: &'a [f32],
    pub(super) rows: &'a [[f32; 2]],
    pub(super) weight: &'a [f32],
    pub(super) bias: &'a [f32],
    pub(super) out: &'a mut [f32],
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

/// The backward pass: replaces each row `g` of the output's gradient by the input's.
///
/// With `h = (x - mean) rstd` and `u = g weight`, the input's gradient is `rstd (u - mean(u) - h
/// mean(u h))`, without `mean(u)` unless centred. `g h` is added to the weight's gradient and `g`
/// to the bias's.
pub(super) struct Backward<'a, const CENTRED: bool> {
    pub(super) grad: &'a mut [f32],
    pub(super) x: &'a [f32],
    pub(super) rows: &'a [[f32; 2]],
    pub(super) weight: &'a [f32],
    pub(super) partial: &'a mut [f32],
    pub(super) scratch: &'a mut [f32],
}

impl<const CENTRED: bool> Kernel for Backward<'_, CENTRED> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let width = self.weight.len();
        let per = 1.0 / width as f32;
        let (weight_grad, bias_grad) = self.partial.split_at_mut(width);
        let hat = &mut self.scratch[..width];
        let pairs = self.grad.chunks_exact_mut(width).zip(self.x.chunks_exact(width));
        for ((grad, x), &[mean, rstd]) in pairs.zip(self.rows) {
            if CENTRED {
                for (bias_grad, &g) in bias_grad.iter_mut().zip(&*grad) {
                    *bias_grad += g;
                }
            }
            for (((hat, &x), weight_grad), &g) in
                hat.iter_mut().zip(x).zip(&mut *weight_grad).zip(&*grad)
            {
                *hat = (x - mean) * rstd;
                *weight_grad = madd::<S>(g, *hat, *weight_grad);
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
