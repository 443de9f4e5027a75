//! Activations of feed-forward networks with their derivatives, element by element.

mod curve;
mod relu;

use burn::tensor::{Tensor, activation};
use burn_flex::FlexTensor;

use crate::cpu::buffer::{block_of_rows, build_from, contiguous, each_block, tensor};
use crate::cpu::simd::{Kernel, Simd, vectorised};
use crate::graph::{Fused, apply};
use curve::{Curve, Gelu, GeluTanh, QuickGelu, Silu};

pub use relu::relu;

/// Computes exact GELU, `x/2 (1 + erf(x / sqrt 2))`, element-wise.
#[must_use]
pub fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    apply(Pointwise::Gelu, x).unwrap_or_else(activation::gelu)
}

/// Computes GELU by tanh, `x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))`, element-wise.
#[must_use]
pub fn gelu_tanh<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    apply(Pointwise::GeluTanh, x).unwrap_or_else(|x| {
        let cube = x.clone().powi_scalar(3) * 0.044_715;
        let inner = (x.clone() + cube) * (2.0 / std::f64::consts::PI).sqrt();
        x * (inner.tanh() + 1.0) * 0.5
    })
}

/// Computes `x sigmoid(1.702 x)`, element-wise: the activation of OpenAI's CLIP.
#[must_use]
pub fn quick_gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    apply(Pointwise::QuickGelu, x).unwrap_or_else(|x| x.clone() * activation::sigmoid(x * 1.702))
}

/// Computes `x sigmoid(x)`, element-wise: the gate of Llama.
#[must_use]
pub fn silu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    apply(Pointwise::Silu, x).unwrap_or_else(activation::silu)
}

/// The smooth activations as operations.
// Not generic: a generic operation would be compiled in the crates that use it, at their level of
// optimisation, which is too low to vectorise the loops.
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

/// Replaces `x` by `f(x)`.
struct Value<'a, F>(&'a mut [f32], F);

impl<F: Curve> Kernel for Value<'_, F> {
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for x in self.0 {
            *x = F::at::<S>(*x).0;
        }
    }
}

/// Replaces `x` by `f(x)` and `slope` by `f'(x)`.
struct ValueAndSlope<'a, F>(&'a mut [f32], &'a mut [f32], F);

impl<F: Curve> Kernel for ValueAndSlope<'_, F> {
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for (x, slope) in self.0.iter_mut().zip(self.1) {
            (*x, *slope) = F::at::<S>(*x);
        }
    }
}

/// Multiplies `g` by `slope`.
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
    /// The derivative at each element: the backward pass is then one product, and `x` need not be
    /// kept.
    type Saved = FlexTensor;

    fn forward(&self, [x]: [FlexTensor; 1], save: bool) -> (FlexTensor, Option<FlexTensor>) {
        let mut x = contiguous(x);
        let shape = x.layout().shape().clone();
        let block = block_of_rows(1);
        let values = x.storage_mut();
        if save {
            let slope = build_from(values, block, |x, slope| self.values_and_slopes(x, slope));
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
