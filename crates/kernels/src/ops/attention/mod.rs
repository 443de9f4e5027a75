//! Attention: of whole sequences, with its own backward pass, and of new tokens to a cache.
//!
//! | module | purpose |
//! |---|---|
//! | `fused` | attention as one node of the graph: the loops over samples and heads |
//! | `head` | the arithmetic of one head, forward and backward |
//! | `layout` | the memory layout of inputs and outputs |
//! | `segments` | attention of one new token to the segments of a cache |

mod fused;
mod head;
mod layout;
mod segments;

use burn::tensor::{Int, Tensor, TensorData};

use super::dropout::{self, DropoutMask};
use super::softmax::softmax;
use crate::graph;
use fused::Attention;

pub use segments::{KvSegment, attend_segments};

/// The options of [`attention`].
#[derive(Clone, Debug)]
pub struct AttentionOptions<'a> {
    /// Factor on the scores, usually `1 / sqrt(head width)`.
    pub scale: f64,
    /// Additive bias, which broadcasts to `[batch, heads, queries, keys]`: a mask, or positions.
    pub bias: Option<Tensor<4>>,
    /// Sample of the keys and values that each sample of the queries attends to; by default sample
    /// i attends to sample i.
    pub rows: Option<&'a [usize]>,
    /// Dropout on the probabilities: a mask of `[batch, heads, queries, keys]`.
    pub dropout: Option<DropoutMask>,
}

impl<'a> AttentionOptions<'a> {
    /// Creates options with a scale and nothing else.
    #[must_use]
    pub fn new(scale: f64) -> Self {
        Self { scale, bias: None, rows: None, dropout: None }
    }

    /// Sets the additive bias.
    #[must_use]
    pub fn bias(self, bias: impl Into<Option<Tensor<4>>>) -> Self {
        Self { bias: bias.into(), ..self }
    }

    /// Sets the sample of the keys for each sample of the queries.
    ///
    /// The result is that of gathering keys and values first, without the copies, and without
    /// adding up the gradients of copies.
    #[must_use]
    pub fn rows(self, rows: impl Into<Option<&'a [usize]>>) -> Self {
        Self { rows: rows.into(), ..self }
    }

    /// Sets dropout on the probabilities.
    #[must_use]
    pub fn dropout(self, mask: impl Into<Option<DropoutMask>>) -> Self {
        Self { dropout: mask.into(), ..self }
    }
}

/// Computes `softmax(q k' * scale + bias) v` over `[batch, heads, tokens, head width]`.
///
/// Keys and values may have fewer heads than queries: consecutive heads of the queries share one.
/// The output may lie in memory as `[batch, queries, heads, head width]`, which makes merging the
/// heads free. A bias that needs a gradient (T5's learned positions) takes burn's primitives.
///
/// # Panics
/// If there are not as many [`AttentionOptions::rows`] as samples of queries, if one is beyond the
/// keys, or if the dropout mask has another length.
#[must_use]
pub fn attention(
    q: Tensor<4>,
    k: Tensor<4>,
    v: Tensor<4>,
    options: AttentionOptions<'_>,
) -> Tensor<4> {
    let [batch, heads, queries, width] = q.dims();
    let (k, v) = (repeat_heads(k, heads), repeat_heads(v, heads));
    let [sources, _, keys, _] = k.dims();
    if let Some(rows) = options.rows {
        assert!(
            rows.len() == batch && rows.iter().all(|&row| row < sources),
            "{rows:?}: {batch} rows of {sources}"
        );
    }
    if let Some(mask) = &options.dropout {
        let count = batch * heads * queries * keys;
        assert_eq!(mask.keep.len(), count, "a byte for each probability");
    }
    let shapes_fit = k.dims() == [sources, heads, keys, width]
        && v.dims() == k.dims()
        && (options.rows.is_some() || sources == batch);
    if !shapes_fit || batch * sources * heads * queries * keys * width == 0 {
        return primitive([q, k, v], options);
    }
    let bias = options.bias.clone().map(Tensor::into_dispatch);
    let bias = match &bias {
        None => None,
        Some(bias) => match graph::constant(bias) {
            Some(bias) => Some(bias),
            None => return primitive([q, k, v], options),
        },
    };
    let op = Attention {
        scale: options.scale as f32,
        bias,
        rows: options.rows.map(Into::into),
        dropout: options.dropout.clone(),
    };
    match graph::run(op, [q.into_dispatch(), k.into_dispatch(), v.into_dispatch()]) {
        Ok(out) => Tensor::from_dispatch(out),
        Err(inputs) => primitive(inputs.map(Tensor::from_dispatch), options),
    }
}

/// Repeats each head of keys or values `[batch, heads, tokens, head width]` for every one of
/// `heads` query heads that shares it.
fn repeat_heads(x: Tensor<4>, heads: usize) -> Tensor<4> {
    let [batch, own, tokens, width] = x.dims();
    if own == heads || own == 0 || !heads.is_multiple_of(own) {
        return x;
    }
    let all =
        x.reshape([batch, own, 1, tokens, width]).expand([batch, own, heads / own, tokens, width]);
    all.reshape([batch, heads, tokens, width])
}

/// Computes [`attention`] of burn's primitives.
fn primitive([q, mut k, mut v]: [Tensor<4>; 3], options: AttentionOptions<'_>) -> Tensor<4> {
    let AttentionOptions { scale, bias, rows, dropout } = options;
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
    let probabilities = softmax(scores);
    match dropout {
        Some(mask) => dropout::primitive(probabilities, &mask).matmul(v),
        None => probabilities.matmul(v),
    }
}
