//! The smooth activations: each value with its derivative.

use crate::cpu::simd::Simd;
use crate::cpu::vector::{exp_negative, madd};

/// A smooth activation.
pub(super) trait Curve: Copy {
    /// Returns `f(x)` and `f'(x)`.
    fn at<S: Simd>(x: f32) -> (f32, f32);
}

/// `x Phi(x)`, where `Phi` is the normal distribution function.
#[derive(Clone, Copy)]
pub(super) struct Gelu;

impl Curve for Gelu {
    /// Computes `1 - Phi(a) = t P(t) exp(-a^2 / 2)` with `a = |x|` and `t = 1 / (1 + c a)`
    /// (Abramowitz and Stegun 7.1.26, constants for `a / sqrt 2`, halved). The absolute error is
    /// below 1e-7. The same exponential gives the density, and the left tail has no cancellation.
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

/// Computes `1 / (1 + exp(-x))` without overflow on either side.
#[inline(always)]
fn sigmoid<S: Simd>(x: f32) -> f32 {
    let e = exp_negative::<S>(-x.abs());
    let above = 1.0 / (1.0 + e);
    if x < 0.0 { e * above } else { above }
}

/// `x sigmoid(1.702 x)`: OpenAI's CLIP.
#[derive(Clone, Copy)]
pub(super) struct QuickGelu;

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
pub(super) struct GeluTanh;

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
pub(super) struct Silu;

impl Curve for Silu {
    #[inline(always)]
    fn at<S: Simd>(x: f32) -> (f32, f32) {
        let s = sigmoid::<S>(x);
        (x * s, madd::<S>(x * s, 1.0 - s, s))
    }
}
