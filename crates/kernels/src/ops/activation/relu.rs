//! The rectifier.

use burn::tensor::{Tensor, activation};
use burn_flex::FlexTensor;

use crate::cpu::buffer::{block_of_rows, contiguous, each_block};
use crate::cpu::simd::{Kernel, Simd, vectorised};
use crate::graph::{Fused, apply};

/// Computes `max(x, 0)`, element-wise.
#[must_use]
pub fn relu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    apply(Relu, x).unwrap_or_else(activation::relu)
}

/// `max(x, 0)`; NaN stays NaN.
#[derive(Clone, Debug)]
struct Relu;

struct Rectify<'a>(&'a mut [f32]);

impl Kernel for Rectify<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for x in self.0 {
            *x = if *x < 0.0 { 0.0 } else { *x };
        }
    }
}

/// Sets `g` to 0 where `y` is 0; where `y` is NaN, `g` stays.
struct Pass<'a>(&'a mut [f32], &'a [f32]);

impl Kernel for Pass<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for (g, y) in self.0.iter_mut().zip(self.1) {
            *g = if *y <= 0.0 { 0.0 } else { *g };
        }
    }
}

impl Fused<1> for Relu {
    /// The output: the next operation usually keeps it anyway, so it costs no memory.
    type Saved = FlexTensor;

    fn forward(&self, [x]: [FlexTensor; 1], save: bool) -> (FlexTensor, Option<FlexTensor>) {
        let mut x = contiguous(x);
        each_block(x.storage_mut(), block_of_rows(1), |_, x| vectorised(Rectify(x)));
        let saved = save.then(|| x.clone());
        (x, saved)
    }

    fn backward(&self, y: FlexTensor, grad: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        let mut grad = contiguous(grad);
        let y = y.storage();
        each_block(grad.storage_mut(), block_of_rows(1), |at, g| {
            vectorised(Pass(g, &y[at..at + g.len()]))
        });
        [Some(grad)]
    }
}
