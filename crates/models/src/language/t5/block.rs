//! The layers of T5's blocks.

use super::config::T5Config;
use crate::layers::{Activation, Embedding, Linear, RmsNorm, merge_heads, split_heads};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use toolkit_core::noise::{self, dropout};
use toolkit_core::{Cache, EncoderOutput};
use toolkit_kernels::AttentionOptions;

pub(super) fn norm(c: &T5Config, device: &Device) -> RmsNorm {
    RmsNorm::new(c.d_model, c.layer_norm_epsilon, device)
}

/// Scores are not scaled: the initialisation of `q` makes up for it.
const SCALE: f64 = 1.0;

#[derive(Module, Debug)]
pub(super) struct Attention {
    q: Linear,
    k: Linear,
    v: Linear,
    o: Linear,
    /// `[buckets, heads]`, in the first block of a stack only, used by all of them.
    pub(super) relative_attention_bias: Option<Embedding>,
    heads: usize,
    dropout: f64,
}

impl Attention {
    pub(super) fn new(c: &T5Config, positions: bool, device: &Device) -> Self {
        let into = || Linear::without_bias(c.d_model, c.inner(), device);
        let table = || Embedding::new(c.relative_attention_num_buckets, c.num_heads, device);
        Self {
            q: into(),
            k: into(),
            v: into(),
            o: Linear::without_bias(c.inner(), c.d_model, device),
            relative_attention_bias: positions.then(table),
            heads: c.num_heads,
            dropout: c.dropout,
        }
    }

    /// Projects `x [batch, tokens, d_model]` to keys and values, each `[batch, heads, tokens,
    /// d_kv]`.
    pub(super) fn keys_values(&self, x: Tensor<3>) -> (Tensor<4>, Tensor<4>) {
        (
            split_heads(self.k.forward(x.clone()), self.heads),
            split_heads(self.v.forward(x), self.heads),
        )
    }

    /// Projects `x [batch, tokens, d_model]` to queries: `[batch, heads, tokens, d_kv]`.
    fn queries(&self, x: Tensor<3>) -> Tensor<4> {
        split_heads(self.q.forward(x), self.heads)
    }

    /// Projects the result of attention, `[batch, heads, tokens, d_kv]`, to `[batch, tokens,
    /// d_model]`.
    fn output(&self, attended: Tensor<4>) -> Tensor<3> {
        self.o.forward(merge_heads(attended))
    }
}

#[derive(Module, Debug)]
pub(super) struct SelfLayer {
    pub(super) SelfAttention: Attention,
    layer_norm: RmsNorm,
    dropout: f64,
}

impl SelfLayer {
    pub(super) fn new(c: &T5Config, first: bool, device: &Device) -> Self {
        Self {
            SelfAttention: Attention::new(c, first, device),
            layer_norm: norm(c, device),
            dropout: c.dropout,
        }
    }

    pub(super) fn forward(
        &self,
        x: Tensor<3>,
        bias: Tensor<4>,
        cache: Option<&mut Cache>,
        layer: usize,
    ) -> Tensor<3> {
        let y = self.layer_norm.forward(x.clone());
        let own = &self.SelfAttention;
        let (q, (k, v)) = (own.queries(y.clone()), own.keys_values(y));
        let attended = match cache {
            Some(cache) => cache.attend(layer, q, (k, v), bias, SCALE),
            None => {
                let options = AttentionOptions::new(SCALE).bias(bias);
                noise::attention(q, k, v, options, own.dropout)
            }
        };
        toolkit_kernels::add(dropout(own.output(attended), self.dropout), x)
    }
}

#[derive(Module, Debug)]
pub(super) struct CrossLayer {
    pub(super) EncDecAttention: Attention,
    layer_norm: RmsNorm,
    dropout: f64,
}

impl CrossLayer {
    pub(super) fn new(c: &T5Config, device: &Device) -> Self {
        Self {
            EncDecAttention: Attention::new(c, false, device),
            layer_norm: norm(c, device),
            dropout: c.dropout,
        }
    }

    pub(super) fn forward(
        &self,
        x: Tensor<3>,
        memory: &EncoderOutput,
        layer: usize,
        bias: Tensor<4>,
    ) -> Tensor<3> {
        let cross = &self.EncDecAttention;
        let q = cross.queries(self.layer_norm.forward(x.clone()));
        let attended = memory.attend(layer, q, bias, SCALE, cross.dropout);
        toolkit_kernels::add(dropout(cross.output(attended), self.dropout), x)
    }
}

#[derive(Module, Debug)]
struct Dense {
    /// Plain form.
    wi: Option<Linear>,
    /// Gated form: what is activated.
    wi_0: Option<Linear>,
    /// Gated form: the other factor.
    wi_1: Option<Linear>,
    wo: Linear,
    #[module(skip)]
    act: Activation,
    dropout: f64,
}

impl Dense {
    pub(super) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let hidden = match (&self.wi, &self.wi_0, &self.wi_1) {
            (_, Some(gate), Some(linear)) => {
                self.act.apply(gate.forward(x.clone())) * linear.forward(x)
            }
            (Some(plain), ..) => self.act.apply(plain.forward(x)),
            _ => unreachable!("`build` makes `wi`, or `wi_0` and `wi_1`"),
        };
        self.wo.forward(dropout(hidden, self.dropout))
    }
}

#[derive(Module, Debug)]
pub(super) struct FeedForward {
    DenseReluDense: Dense,
    layer_norm: RmsNorm,
    dropout: f64,
}

impl FeedForward {
    pub(super) fn new(c: &T5Config, device: &Device) -> Self {
        let into = || Linear::without_bias(c.d_model, c.d_ff, device);
        let dense = Dense {
            wi: (!c.gated).then(into),
            wi_0: c.gated.then(into),
            wi_1: c.gated.then(into),
            wo: Linear::without_bias(c.d_ff, c.d_model, device),
            act: c.dense_act,
            dropout: c.dropout,
        };
        Self { DenseReluDense: dense, layer_norm: norm(c, device), dropout: c.dropout }
    }

    pub(super) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let y = self.DenseReluDense.forward(self.layer_norm.forward(x.clone()));
        toolkit_kernels::add(dropout(y, self.dropout), x)
    }
}

/// The sublayers of a decoder block; their order is their number in checkpoints.
pub(super) type DecoderLayer = (SelfLayer, CrossLayer, FeedForward);

/// The encoder's output as one decoder block reads it.
pub(super) struct Memory<'a> {
    pub(super) output: &'a EncoderOutput,
    /// Layer of `output` that belongs to the block.
    pub(super) layer: usize,
    /// Additive bias of the cross-attention.
    pub(super) bias: Tensor<4>,
}

/// Runs a decoder block over `x [batch, new, d_model]`; `layer` is its layer of the cache.
pub(super) fn decoder_block(
    (attention, cross, feed_forward): &DecoderLayer,
    x: Tensor<3>,
    bias: Tensor<4>,
    (cache, layer): (Option<&mut Cache>, usize),
    memory: Memory<'_>,
) -> Tensor<3> {
    let x = attention.forward(x, bias, cache, layer);
    let x = cross.forward(x, memory.output, memory.layer, memory.bias);
    feed_forward.forward(x)
}
