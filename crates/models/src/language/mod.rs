//! Language models, and the masks and heads that they share.
//!
//! | module | family |
//! |---|---|
//! | [`opt`] | OPT, decoder-only |
//! | [`llama`] | Llama and models of its form (SmolLM2), decoder-only; `rotary` has its positions |
//! | [`t5`] | T5, encoder-decoder |

pub mod llama;
pub mod opt;
mod rotary;
pub mod t5;

use crate::layers::{Embedding, causal_mask, mask_bias};
use burn::tensor::{Device, Tensor};

/// Returns the additive bias of a decoder's scores, `[batch, 1, new, past + new]`: zero if the key
/// is real and not later than the query.
///
/// `mask` is `[batch, past + new]`. A query that sees nothing (left padding) gets even weights and
/// not NaN: all its keys are hidden by the same finite number.
fn causal_bias(mask: Tensor<2>, new: usize, device: &Device) -> Tensor<4> {
    let [batch, keys] = mask.dims();
    assert!(
        keys >= new,
        "the mask must cover the cache and the new positions: it has {keys} columns for {new} new \
        ones"
    );
    let causal = causal_mask(keys - new, new, device).unsqueeze::<4>();
    mask_bias(mask.reshape([batch, 1, 1, keys]) * causal)
}

/// Returns the last `count` tokens of `x [batch, tokens, width]`.
fn last_tokens(x: Tensor<3>, count: usize) -> Tensor<3> {
    let tokens = x.dims()[1];
    if count == tokens { x } else { x.narrow(1, tokens - count, count) }
}

/// Returns the rows of the last `count` tokens of a bias `[batch, 1, tokens, keys]`.
fn last_rows(bias: Tensor<4>, count: usize) -> Tensor<4> {
    let tokens = bias.dims()[2];
    bias.narrow(2, tokens - count, count)
}

/// Computes the logits of a head that is the token table: `[batch, tokens, width]` to `[batch,
/// tokens, vocab]`.
fn tied_logits(hidden: Tensor<3>, table: &Embedding) -> Tensor<3> {
    let table = table.table();
    let ([batch, tokens, width], vocab) = (hidden.dims(), table.dims()[0]);
    // One product over all rows, as in `Linear`.
    toolkit_kernels::times_transposed(hidden.reshape([batch * tokens, width]), table)
        .reshape([batch, tokens, vocab])
}
