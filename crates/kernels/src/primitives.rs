//! The same operations made of burn's primitives: what runs on other backends and other number types, and what tests compare with.

use burn::tensor::{Int, Tensor, activation};

/// See [`crate::rms_norm`].
pub(crate) fn rms_norm<const D: usize>(x: Tensor<D>, weight: Tensor<1>, eps: f64) -> Tensor<D> {
    let square = (x.clone() * x.clone()).mean_dim(D - 1);
    x / (square + eps).sqrt() * weight.unsqueeze()
}

/// See [`crate::cross_entropy`].
pub(crate) fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>, smoothing: f64) -> Tensor<1> {
    let [rows, _] = logits.dims();
    let log_p = activation::log_softmax(logits, 1);
    let hit = log_p.clone().gather(1, labels.reshape([rows, 1])).reshape([rows]).neg();
    if smoothing == 0.0 {
        return hit;
    }
    let uniform = log_p.mean_dim(1).reshape([rows]).neg();
    hit * (1.0 - smoothing) + uniform * smoothing
}

/// See [`crate::attention`].
pub(crate) fn attention(q: Tensor<4>, k: Tensor<4>, v: Tensor<4>, bias: Option<Tensor<4>>, scale: f64) -> Tensor<4> {
    // Scaling the queries is cheaper than scaling the scores: fewer elements.
    let q = if scale == 1.0 { q } else { q * scale };
    let mut scores = q.matmul(k.swap_dims(2, 3));
    if let Some(bias) = bias {
        scores = scores + bias;
    }
    crate::softmax(scores).matmul(v)
}
