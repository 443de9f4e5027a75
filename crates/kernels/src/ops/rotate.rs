//! Rotation of pairs of numbers by angles, as rotary positions need it.

use burn::tensor::{Shape, Tensor};

use crate::cpu::buffer::{contiguous, tensor};
use crate::graph;

/// Rotates the pairs of `x [batch, heads, tokens, width]` by angles whose cosines and sines are
/// `[batch, 1, tokens, width / 2]`.
///
/// The numbers of a pair are adjacent in `x` if `interleaved`, and half a width apart if not. In
/// the result they are half a width apart.
#[must_use]
pub fn rotate(x: Tensor<4>, cos: &Tensor<4>, sin: &Tensor<4>, interleaved: bool) -> Tensor<4> {
    in_one_pass(&x, cos, sin, interleaved).unwrap_or_else(|| {
        let [batch, heads, tokens, width] = x.dims();
        let half = width / 2;
        let (a, b) = if interleaved {
            let pairs = x.reshape([batch, heads, tokens, half, 2]);
            let part =
                |at: usize| pairs.clone().narrow(4, at, 1).reshape([batch, heads, tokens, half]);
            (part(0), part(1))
        } else {
            (x.clone().narrow(3, 0, half), x.narrow(3, half, half))
        };
        let first = a.clone() * cos.clone() - b.clone() * sin.clone();
        let second = b * cos.clone() + a * sin.clone();
        Tensor::cat(vec![first, second], 3)
    })
}

/// Computes [`rotate`] with the same bits; `None` if `x` may have a gradient or is not f32 on flex.
fn in_one_pass(
    x: &Tensor<4>,
    cos: &Tensor<4>,
    sin: &Tensor<4>,
    interleaved: bool,
) -> Option<Tensor<4>> {
    let [batch, heads, tokens, width] = x.dims();
    let half = width / 2;
    let fits = cos.dims() == [batch, 1, tokens, half] && sin.dims() == cos.dims();
    if x.is_autodiff() || !fits || width != 2 * half || x.shape().num_elements() == 0 {
        return None;
    }
    let constant = |x: &Tensor<4>| graph::constant(&x.clone().into_dispatch()).map(contiguous);
    let (x, cos, sin) = (constant(x)?, constant(cos)?, constant(sin)?);
    let (x, cos, sin): (&[f32], &[f32], &[f32]) = (x.storage(), cos.storage(), sin.storage());
    let mut out = vec![0.0; x.len()];
    for (i, (x, out)) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)).enumerate() {
        let at = (i / (heads * tokens) * tokens + i % tokens) * half;
        let (cos, sin) = (&cos[at..at + half], &sin[at..at + half]);
        let (first, second) = out.split_at_mut(half);
        for pair in 0..half {
            let (a, b) = if interleaved {
                (x[2 * pair], x[2 * pair + 1])
            } else {
                (x[pair], x[half + pair])
            };
            first[pair] = a * cos[pair] - b * sin[pair];
            second[pair] = b * cos[pair] + a * sin[pair];
        }
    }
    let shape = Shape::new([batch, heads, tokens, width]);
    Some(Tensor::from_dispatch(graph::plain(tensor(out, shape))))
}
