//! Rotary positions (Su et al., 2021, arXiv:2104.09864): queries and keys are rotated by angles that
//! grow with their position, so that scores depend on distances.

use burn::tensor::{Int, Tensor, TensorData};

/// The cosines and sines of the current positions, `[batch, 1, tokens, head / 2]` each.
#[derive(Clone)]
pub(super) struct Rotation {
    cos: Tensor<4>,
    sin: Tensor<4>,
    interleaved: bool,
}

impl Rotation {
    /// Computes the rotation of the last `tokens` columns of `mask [batch, past + tokens]`.
    ///
    /// Hidden positions are not counted, as in transformers. So text after left padding continues
    /// at the position where the soft prefix ended.
    pub(super) fn new(
        mask: Tensor<2>,
        tokens: usize,
        head: usize,
        theta: f64,
        interleaved: bool,
    ) -> Self {
        let device = mask.device();
        let [batch, keys] = mask.dims();
        let angle = |position: usize, pair: usize| {
            position as f64 / libm::pow(theta, 2.0 * pair as f64 / head as f64)
        };
        let table = |f: fn(f64) -> f64| {
            let all = (0..keys).flat_map(|position| {
                (0..head / 2).map(move |pair| f(angle(position, pair)) as f32)
            });
            Tensor::<2>::from_data(
                TensorData::new(all.collect::<Vec<f32>>(), [keys, head / 2]),
                &device,
            )
        };
        let positions: Tensor<2, Int> =
            (mask.int().cumsum(1) - 1).clamp_min(0).narrow(1, keys - tokens, tokens);
        let rows = |table: Tensor<2>| {
            let rows = burn::tensor::module::embedding(table, positions.clone());
            rows.reshape([batch, 1, tokens, head / 2])
        };
        Self { cos: rows(table(libm::cos)), sin: rows(table(libm::sin)), interleaved }
    }

    /// Returns the rotation of the last `count` tokens.
    pub(super) fn last(&self, count: usize) -> Self {
        let one = |table: &Tensor<4>| table.clone().narrow(2, table.dims()[2] - count, count);
        Self { cos: one(&self.cos), sin: one(&self.sin), interleaved: self.interleaved }
    }

    /// Rotates `[batch, heads, tokens, head]`.
    pub(super) fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        let [batch, heads, tokens, head] = x.dims();
        let half = head / 2;
        let (a, b) = if self.interleaved {
            let pairs = x.reshape([batch, heads, tokens, half, 2]);
            let part =
                |at: usize| pairs.clone().narrow(4, at, 1).reshape([batch, heads, tokens, half]);
            (part(0), part(1))
        } else {
            (x.clone().narrow(3, 0, half), x.narrow(3, half, half))
        };
        let first = a.clone() * self.cos.clone() - b.clone() * self.sin.clone();
        let second = b * self.cos.clone() + a * self.sin.clone();
        // Scores are sums over a head, so queries and keys may both stay half a head apart.
        Tensor::cat(vec![first, second], 3)
    }
}
