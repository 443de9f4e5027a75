//! Rotary positions (Su et al., 2021, arXiv:2104.09864): queries and keys are rotated by angles that
//! grow with their position, so that scores depend on distances.

use burn::tensor::{Tensor, TensorData};
use toolkit_core::params::floats;

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
        let frequencies: Vec<f64> =
            (0..head / 2).map(|pair| libm::pow(theta, 2.0 * pair as f64 / head as f64)).collect();
        // Only the angles of the new positions: a table of all would grow with the text, at every
        // token.
        let mut angles = Vec::with_capacity(batch * tokens * head / 2);
        for row in floats(mask).chunks_exact(keys.max(1)) {
            let mut seen = 0_usize;
            for (column, &visible) in row.iter().enumerate() {
                seen += usize::from(visible != 0.0);
                if column + tokens >= keys {
                    let position = seen.saturating_sub(1) as f64;
                    angles.extend(frequencies.iter().map(|frequency| position / frequency));
                }
            }
        }
        let table = |f: fn(f64) -> f64| {
            let values: Vec<f32> = angles.iter().map(|&angle| f(angle) as f32).collect();
            Tensor::from_data(TensorData::new(values, [batch, 1, tokens, head / 2]), &device)
        };
        Self { cos: table(libm::cos), sin: table(libm::sin), interleaved }
    }

    /// Returns the rotation of the last `count` tokens.
    pub(super) fn last(&self, count: usize) -> Self {
        let one = |table: &Tensor<4>| table.clone().narrow(2, table.dims()[2] - count, count);
        Self { cos: one(&self.cos), sin: one(&self.sin), interleaved: self.interleaved }
    }

    /// Rotates `[batch, heads, tokens, head]`.
    pub(super) fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        // Scores are sums over a head, so queries and keys may both stay half a head apart.
        toolkit_kernels::rotate(x, &self.cos, &self.sin, self.interleaved)
    }
}
