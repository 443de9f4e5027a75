//! Operations that burn lacks or does slowly, each with its own backward, falling back to burn's primitives elsewhere.

use burn::tensor::{Tensor, activation};

/// Exact GELU, `x/2 (1 + erf(x / sqrt 2))`, element-wise.
#[must_use]
pub fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    activation::gelu(x)
}

/// Softmax over the last dimension.
#[must_use]
pub fn softmax<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    activation::softmax(x, D - 1)
}

/// Layer normalisation over the last dimension: `(x - mean) / sqrt(var + eps) * weight + bias`, variance biased.
#[must_use]
pub fn layer_norm<const D: usize>(x: Tensor<D>, weight: Tensor<1>, bias: Tensor<1>, eps: f64) -> Tensor<D> {
    burn::tensor::module::layer_norm(x, weight, Some(bias), eps)
}
