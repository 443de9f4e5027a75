//! The same operations made of burn's primitives: what runs on other backends and other number
//! types, and what tests compare with.

use crate::{AdamWStep, Keep};
use burn::tensor::{Int, Tensor, TensorData, activation};

/// See [`crate::rms_norm`].
pub(crate) fn rms_norm<const D: usize>(x: Tensor<D>, weight: Tensor<1>, eps: f64) -> Tensor<D> {
    let square = (x.clone() * x.clone()).mean_dim(D - 1);
    x / (square + eps).sqrt() * weight.unsqueeze()
}

/// See [`crate::cross_entropy`].
pub(crate) fn cross_entropy(
    logits: Tensor<2>,
    labels: Tensor<1, Int>,
    smoothing: f64,
) -> Tensor<1> {
    let [rows, _] = logits.dims();
    let log_p = activation::log_softmax(logits, 1);
    let hit = log_p.clone().gather(1, labels.reshape([rows, 1])).reshape([rows]).neg();
    if smoothing == 0.0 {
        return hit;
    }
    let uniform = log_p.mean_dim(1).reshape([rows]).neg();
    hit * (1.0 - smoothing) + uniform * smoothing
}

/// See [`crate::attention`] and [`crate::attention_rows`].
pub(crate) fn attention(
    q: Tensor<4>,
    mut k: Tensor<4>,
    mut v: Tensor<4>,
    rows: Option<&[usize]>,
    bias: Option<Tensor<4>>,
    scale: f64,
    keep: Option<Keep>,
) -> Tensor<4> {
    if let Some(rows) = rows {
        let ids: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
        let ids = Tensor::<1, Int>::from_data(TensorData::new(ids, [rows.len()]), &q.device());
        (k, v) = (k.select(0, ids.clone()), v.select(0, ids));
    }
    // Scaling the queries is cheaper than scaling the scores: fewer elements.
    let q = if scale == 1.0 { q } else { q * scale };
    let mut scores = q.matmul(k.swap_dims(2, 3));
    if let Some(bias) = bias {
        scores = scores + bias;
    }
    let probabilities = crate::softmax(scores);
    match keep {
        Some(keep) => dropout(probabilities, &keep).matmul(v),
        None => probabilities.matmul(v),
    }
}

/// See [`crate::dropout`].
pub(crate) fn dropout<const D: usize>(x: Tensor<D>, keep: &Keep) -> Tensor<D> {
    let mask: Vec<f32> =
        keep.elements.iter().map(|&stays| if stays == 0 { 0.0 } else { keep.scale }).collect();
    let mask = Tensor::<D>::from_data(TensorData::new(mask, x.dims()), &x.device());
    x * mask
}

/// See [`crate::gelu_tanh`].
pub(crate) fn gelu_tanh<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let inner =
        (x.clone() + x.clone().powi_scalar(3) * 0.044_715) * (2.0 / std::f64::consts::PI).sqrt();
    x * (inner.tanh() + 1.0) * 0.5
}

/// See [`crate::adamw`].
pub(crate) fn adamw<const D: usize>(
    step: AdamWStep,
    [value, first, second, grad]: [Tensor<D>; 4],
) -> [Tensor<D>; 3] {
    let AdamWStep {
        betas: [beta1, beta2],
        eps,
        corrections: [correct1, correct2],
        rate,
        keep,
        scale,
    } = step;
    let grad = if scale == 1.0 { grad } else { grad * scale };
    let first = first * beta1 + grad.clone() * (1.0 - beta1);
    let second = second * beta2 + grad.clone() * grad * (1.0 - beta2);
    let change = first.clone() / ((second.clone() / correct2).sqrt() + eps) * (rate / correct1);
    let value = if keep == 1.0 { value } else { value * keep };
    [value - change, first, second]
}
