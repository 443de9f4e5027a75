//! GELU and its derivative.

use burn_flex::FlexTensor;

use crate::buffer::{block_of_rows, build_beside, contiguous, each_block, tensor};
use crate::node::Fused;
use crate::simd::{Kernel, Simd, exp_negative, madd, vectorised};

/// `x Phi(x)`, where `Phi` is the normal distribution function.
#[derive(Clone, Debug)]
pub(crate) struct Gelu;

/// `Phi(x)` and the density `phi(x)`, absolute error of `Phi` below 1e-7.
///
/// With `a = |x|`, `t = 1 / (1 + c a)`: `1 - Phi(a) = t P(t) exp(-a^2 / 2)` (Abramowitz and Stegun 7.1.26, its constants taken for
/// `a / sqrt 2` and halved). The density comes for free from the same exponential, and the left tail has no cancellation.
#[inline(always)]
fn normal<S: Simd>(x: f32) -> (f32, f32) {
    const INV_SQRT_TAU: f32 = 0.398_942_3;
    let t = 1.0 / madd::<S>(0.231_641_89, x.abs(), 1.0);
    let e = exp_negative::<S>(x * x * -0.5);
    let mut p = 0.530_702_7;
    for c in [-0.726_576, 0.710_706_9, -0.142_248_37, 0.127_414_8] {
        p = madd::<S>(p, t, c);
    }
    let tail = p * t * e;
    (if x < 0.0 { tail } else { 1.0 - tail }, e * INV_SQRT_TAU)
}

/// `x` becomes `gelu(x)`.
struct Value<'a>(&'a mut [f32]);

impl Kernel for Value<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for x in self.0 {
            *x *= normal::<S>(*x).0;
        }
    }
}

/// `x` becomes `gelu(x)` and `slope` becomes `gelu'(x) = Phi(x) + x phi(x)`.
struct ValueAndSlope<'a>(&'a mut [f32], &'a mut [f32]);

impl Kernel for ValueAndSlope<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for (x, slope) in self.0.iter_mut().zip(self.1) {
            let (below, density) = normal::<S>(*x);
            *slope = madd::<S>(*x, density, below);
            *x *= below;
        }
    }
}

/// `g` becomes `g * slope`.
struct Scale<'a>(&'a mut [f32], &'a [f32]);

impl Kernel for Scale<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for (g, slope) in self.0.iter_mut().zip(self.1) {
            *g *= slope;
        }
    }
}

impl Fused<1> for Gelu {
    /// The slope: with it the backward is one product, and it takes the place of `x`, which would have to be kept otherwise.
    type Saved = FlexTensor;

    fn forward(&self, [x]: [FlexTensor; 1], keep: bool) -> (FlexTensor, Option<FlexTensor>) {
        let mut x = contiguous(x);
        let shape = x.layout().shape().clone();
        let block = block_of_rows(1);
        let values = x.storage_mut();
        if keep {
            let slope = build_beside(values, block, |x, slope| vectorised(ValueAndSlope(x, slope)));
            (x, Some(tensor(slope, shape)))
        } else {
            each_block(values, block, |_, x| vectorised(Value(x)));
            (x, None)
        }
    }

    fn backward(&self, slope: FlexTensor, grad: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        let mut grad = contiguous(grad);
        let slope = slope.storage();
        each_block(grad.storage_mut(), block_of_rows(1), |at, g| vectorised(Scale(g, &slope[at..at + g.len()])));
        [Some(grad)]
    }
}
