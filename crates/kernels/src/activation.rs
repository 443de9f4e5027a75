//! Activations of feed-forward networks with their derivatives, element by element.

use burn_flex::FlexTensor;

use crate::buffer::{block_of_rows, build_beside, contiguous, each_block, tensor};
use crate::node::Fused;
use crate::simd::{Kernel, Simd, exp_negative, madd, vectorised};

/// A smooth activation.
trait Curve: Copy {
    /// `f(x)` and `f'(x)`.
    fn at<S: Simd>(x: f32) -> (f32, f32);
}

/// `x Phi(x)`, where `Phi` is the normal distribution function.
#[derive(Clone, Copy)]
struct Gelu;

impl Curve for Gelu {
    /// With `a = |x|`, `t = 1 / (1 + c a)`: `1 - Phi(a) = t P(t) exp(-a^2 / 2)` (Abramowitz and
    /// Stegun 7.1.26, its constants taken for `a / sqrt 2` and halved), absolute error below 1e-7.
    /// The density comes for free from the same exponential, and the left tail has no cancellation.
    #[inline(always)]
    fn at<S: Simd>(x: f32) -> (f32, f32) {
        const INV_SQRT_TAU: f32 = 0.398_942_3;
        let t = 1.0 / madd::<S>(0.231_641_89, x.abs(), 1.0);
        let e = exp_negative::<S>(x * x * -0.5);
        let mut p = 0.530_702_7;
        for c in [-0.726_576, 0.710_706_9, -0.142_248_37, 0.127_414_8] {
            p = madd::<S>(p, t, c);
        }
        let tail = p * t * e;
        let below = if x < 0.0 { tail } else { 1.0 - tail };
        (x * below, madd::<S>(x, e * INV_SQRT_TAU, below))
    }
}

/// `1 / (1 + exp(-x))`, without overflow on either side.
#[inline(always)]
fn sigmoid<S: Simd>(x: f32) -> f32 {
    let e = exp_negative::<S>(-x.abs());
    let above = 1.0 / (1.0 + e);
    if x < 0.0 { e * above } else { above }
}

/// `x sigmoid(1.702 x)`: OpenAI's CLIP.
#[derive(Clone, Copy)]
struct QuickGelu;

impl Curve for QuickGelu {
    #[inline(always)]
    fn at<S: Simd>(x: f32) -> (f32, f32) {
        const STEEP: f32 = 1.702;
        let s = sigmoid::<S>(STEEP * x);
        (x * s, madd::<S>(STEEP * x * s, 1.0 - s, s))
    }
}

/// GELU by tanh: `x/2 (1 + tanh u) = x sigmoid(2 u)` with `u = sqrt(2 / pi) (x + 0.044715 x^3)`.
#[derive(Clone, Copy)]
struct GeluTanh;

impl Curve for GeluTanh {
    #[inline(always)]
    fn at<S: Simd>(x: f32) -> (f32, f32) {
        const TWICE_ROOT: f32 = 1.595_769;
        const CUBE: f32 = 0.044_715;
        let square = CUBE * x * x;
        let s = sigmoid::<S>(TWICE_ROOT * madd::<S>(x, square, x));
        let inner = TWICE_ROOT * madd::<S>(3.0, square, 1.0);
        (x * s, madd::<S>(x * s * (1.0 - s), inner, s))
    }
}

/// `x sigmoid(x)`: the gate of Llama.
#[derive(Clone, Copy)]
struct Silu;

impl Curve for Silu {
    #[inline(always)]
    fn at<S: Simd>(x: f32) -> (f32, f32) {
        let s = sigmoid::<S>(x);
        (x * s, madd::<S>(x * s, 1.0 - s, s))
    }
}

/// `f` of each element as one node. Not generic: code of a generic operation would be compiled in
/// the crates that use it, with their optimisations, which are too few to find the vectors.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pointwise {
    Gelu,
    GeluTanh,
    QuickGelu,
    Silu,
}

impl Pointwise {
    fn values(self, x: &mut [f32]) {
        match self {
            Self::Gelu => vectorised(Value(x, Gelu)),
            Self::GeluTanh => vectorised(Value(x, GeluTanh)),
            Self::QuickGelu => vectorised(Value(x, QuickGelu)),
            Self::Silu => vectorised(Value(x, Silu)),
        }
    }

    fn values_and_slopes(self, x: &mut [f32], slope: &mut [f32]) {
        match self {
            Self::Gelu => vectorised(ValueAndSlope(x, slope, Gelu)),
            Self::GeluTanh => vectorised(ValueAndSlope(x, slope, GeluTanh)),
            Self::QuickGelu => vectorised(ValueAndSlope(x, slope, QuickGelu)),
            Self::Silu => vectorised(ValueAndSlope(x, slope, Silu)),
        }
    }
}

/// `x` becomes `f(x)`.
struct Value<'a, F>(&'a mut [f32], F);

impl<F: Curve> Kernel for Value<'_, F> {
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for x in self.0 {
            *x = F::at::<S>(*x).0;
        }
    }
}

/// `x` becomes `f(x)` and `slope` becomes `f'(x)`.
struct ValueAndSlope<'a, F>(&'a mut [f32], &'a mut [f32], F);

impl<F: Curve> Kernel for ValueAndSlope<'_, F> {
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for (x, slope) in self.0.iter_mut().zip(self.1) {
            (*x, *slope) = F::at::<S>(*x);
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

impl Fused<1> for Pointwise {
    /// The slope: with it the backward is one product, and it takes the place of `x`, which would
    /// have to be kept otherwise.
    type Saved = FlexTensor;

    fn forward(&self, [x]: [FlexTensor; 1], keep: bool) -> (FlexTensor, Option<FlexTensor>) {
        let mut x = contiguous(x);
        let shape = x.layout().shape().clone();
        let block = block_of_rows(1);
        let values = x.storage_mut();
        if keep {
            let slope = build_beside(values, block, |x, slope| self.values_and_slopes(x, slope));
            (x, Some(tensor(slope, shape)))
        } else {
            each_block(values, block, |_, x| self.values(x));
            (x, None)
        }
    }

    fn backward(
        &self,
        slope: FlexTensor,
        grad: FlexTensor,
        _: [bool; 1],
    ) -> [Option<FlexTensor>; 1] {
        let mut grad = contiguous(grad);
        let slope = slope.storage();
        each_block(grad.storage_mut(), block_of_rows(1), |at, g| {
            vectorised(Scale(g, &slope[at..at + g.len()]))
        });
        [Some(grad)]
    }
}

/// The rectifier: `max(x, 0)`, NaN kept.
#[derive(Clone, Debug)]
pub(crate) struct Relu;

struct Rectify<'a>(&'a mut [f32]);

impl Kernel for Rectify<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for x in self.0 {
            *x = if *x < 0.0 { 0.0 } else { *x };
        }
    }
}

/// `g` becomes 0 where `y` is 0; where it is NaN it stays.
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
    /// The output, which what follows keeps anyway.
    type Saved = FlexTensor;

    fn forward(&self, [x]: [FlexTensor; 1], keep: bool) -> (FlexTensor, Option<FlexTensor>) {
        let mut x = contiguous(x);
        each_block(x.storage_mut(), block_of_rows(1), |_, x| vectorised(Rectify(x)));
        let kept = keep.then(|| x.clone());
        (x, kept)
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
