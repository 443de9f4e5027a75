//! Llama: rotary positions, grouped-query attention, RMS norms, gated feed-forward; SmolLM2 is of
//! this form.
//!
//! Parameter names are those of transformers' `LlamaForCausalLM`. Llama: Touvron et al., 2023,
//! arXiv:2302.13971. Trap: GGUF files hold the rows of query and key matrices in another order, so
//! that the two numbers that are rotated together stand side by side; transformers has them half a
//! head apart. `interleaved` says which the weights are of.

use super::rotary::Rotation;
use super::{causal_bias, last_rows, last_tokens, tied_logits};
use crate::layers::{Embedding, Linear, RmsNorm, linear_params, merge_heads, split_heads};
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use serde::Deserialize;
use toolkit_core::params::{Info, Init, bert_rule};
use toolkit_core::published::{PublishedNames, Recipe};
use toolkit_core::recompute;
use toolkit_core::{
    Cache, Cost, EncoderOutput, LanguageKind, LanguageModel, LanguageShape, ShapeError, product,
};
use toolkit_kernels::{AttentionOptions, attention};

/// Sizes of a [`Llama`], in the words of transformers' `LlamaConfig`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LlamaConfig {
    /// Rows of the token table.
    pub vocab_size: usize,
    /// Width between the layers, and of the embedding space.
    pub hidden_size: usize,
    /// Width of the feed-forward.
    pub intermediate_size: usize,
    /// Number of layers.
    pub num_hidden_layers: usize,
    /// Attention heads of the queries.
    pub num_attention_heads: usize,
    /// Attention heads of keys and values; as many as of the queries if absent.
    #[serde(default)]
    pub num_key_value_heads: Option<usize>,
    /// Width of one head; `hidden_size / num_attention_heads` if absent.
    #[serde(default)]
    pub head_dim: Option<usize>,
    /// Longest sequence, soft prefix included.
    pub max_position_embeddings: usize,
    /// Base of the rotary frequencies.
    #[serde(default = "theta")]
    pub rope_theta: f64,
    /// Epsilon of every norm.
    #[serde(default = "eps")]
    pub rms_norm_eps: f64,
    /// `true` if the head is the token table.
    #[serde(default)]
    pub tie_word_embeddings: bool,
    /// `true` if two numbers that are rotated together are adjacent (GGUF); `false` if they are
    /// half a head apart (transformers).
    #[serde(default)]
    pub interleaved: bool,
}

fn theta() -> f64 {
    10_000.0
}
fn eps() -> f64 {
    1e-6
}

impl LlamaConfig {
    fn key_value_heads(&self) -> usize {
        self.num_key_value_heads.unwrap_or(self.num_attention_heads)
    }
    fn head(&self) -> usize {
        self.head_dim.unwrap_or(self.hidden_size / self.num_attention_heads.max(1))
    }
}

#[derive(Module, Debug)]
struct SelfAttention {
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    o_proj: Linear,
    heads: usize,
    key_value_heads: usize,
}

impl SelfAttention {
    fn forward(
        &self,
        x: Tensor<3>,
        rotation: &Rotation,
        bias: Tensor<4>,
        cache: Option<&mut Cache>,
        layer: usize,
    ) -> Tensor<3> {
        let outputs = bias.dims()[2];
        let q = split_heads(self.q_proj.forward(last_tokens(x.clone(), outputs)), self.heads);
        let q = rotation.last(outputs).apply(q);
        let k = rotation.apply(split_heads(self.k_proj.forward(x.clone()), self.key_value_heads));
        let v = split_heads(self.v_proj.forward(x), self.key_value_heads);
        let scale = 1.0 / (q.dims()[3] as f64).sqrt();
        // The cache holds each key and value once, for all the queries that share it.
        let attended = match cache {
            Some(cache) => cache.attend(layer, q, (k, v), bias, scale),
            None => attention(q, k, v, AttentionOptions::new(scale).bias(bias)),
        };
        self.o_proj.forward(merge_heads(attended))
    }
}

#[derive(Module, Debug)]
struct Mlp {
    gate_proj: Linear,
    up_proj: Linear,
    down_proj: Linear,
}

impl Mlp {
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        self.down_proj.forward(
            toolkit_kernels::silu(self.gate_proj.forward(x.clone())) * self.up_proj.forward(x),
        )
    }
}

#[derive(Module, Debug)]
struct Layer {
    self_attn: SelfAttention,
    mlp: Mlp,
    input_layernorm: RmsNorm,
    post_attention_layernorm: RmsNorm,
}

impl Layer {
    /// Runs the layer over `x [batch, new, hidden]` and returns the last tokens, as many as `bias`
    /// has rows: `[batch, outputs, hidden]`.
    fn forward(
        &self,
        x: Tensor<3>,
        rotation: &Rotation,
        bias: Tensor<4>,
        cache: Option<&mut Cache>,
        layer: usize,
    ) -> Tensor<3> {
        let y = self.input_layernorm.forward(x.clone());
        let outputs = bias.dims()[2];
        let y = self.self_attn.forward(y, rotation, bias, cache, layer);
        let x = toolkit_kernels::add(y, last_tokens(x, outputs));
        let y = self.post_attention_layernorm.forward(x.clone());
        toolkit_kernels::add(self.mlp.forward(y), x)
    }
}

#[derive(Module, Debug)]
struct Model {
    embed_tokens: Embedding,
    layers: Vec<Layer>,
    norm: RmsNorm,
}

/// A decoder-only language model of Llama's form.
#[derive(Module, Debug)]
pub struct Llama {
    model: Model,
    lm_head: Option<Linear>,
    head: usize,
    theta: f64,
    interleaved: bool,
}

/// Returns Llama's initialisation: N(0, 0.02), norms 1.
#[must_use]
pub fn init(info: &Info) -> Init {
    bert_rule(info)
}

impl LanguageModel for Llama {
    type Config = LlamaConfig;

    fn describe(c: &LlamaConfig) -> Result<LanguageShape, ShapeError> {
        let (heads, shared) = (c.num_attention_heads, c.key_value_heads());
        if c.head_dim.is_none() {
            ShapeError::unless_divides(
                ("num_attention_heads", heads),
                ("hidden_size", c.hidden_size),
            )?;
        }
        ShapeError::unless_divides(
            ("num_key_value_heads", shared),
            ("num_attention_heads", heads),
        )?;
        if !c.head().is_multiple_of(2) {
            return Err(ShapeError::new(
                format!("a head is {} wide", c.head()),
                "rotary positions need an even width",
            ));
        }
        let (hidden, head) = (c.hidden_size, c.head());
        let matrices = linear_params(hidden, heads * head, false) * 2_u64
            + linear_params(hidden, shared * head, false) * 2_u64
            + linear_params(hidden, c.intermediate_size, false) * 3_u64;
        let table = product([c.vocab_size, hidden]);
        let layers = c.num_hidden_layers;
        let tables = if c.tie_word_embeddings { table } else { table * 2_u64 };
        let params = tables + (matrices + 2 * hidden) * layers + hidden;
        Ok(LanguageShape {
            kind: LanguageKind::DecoderOnly,
            width: hidden,
            vocab: c.vocab_size,
            positions: Some(c.max_position_embeddings),
            blocks: c.num_hidden_layers,
            cross_activations: 0,
            // Inputs of two normalisations, query and context, key and value for all heads, and
            // gate, slope and product.
            cost: Cost::new(
                params,
                (matrices * layers + table) * 2_u64,
                product([layers, 2 * hidden + 4 * heads * head + 3 * c.intermediate_size]),
            ),
        })
    }

    fn build(c: &LlamaConfig, device: &Device) -> Self {
        let (hidden, head) = (c.hidden_size, c.head());
        let (all, shared) = (c.num_attention_heads * head, c.key_value_heads() * head);
        let linear = |input, output| Linear::without_bias(input, output, device);
        let norm = || RmsNorm::new(hidden, c.rms_norm_eps, device);
        let layer = |_| Layer {
            self_attn: SelfAttention {
                q_proj: linear(hidden, all),
                k_proj: linear(hidden, shared),
                v_proj: linear(hidden, shared),
                o_proj: linear(all, hidden),
                heads: c.num_attention_heads,
                key_value_heads: c.key_value_heads(),
            },
            mlp: Mlp {
                gate_proj: linear(hidden, c.intermediate_size),
                up_proj: linear(hidden, c.intermediate_size),
                down_proj: linear(c.intermediate_size, hidden),
            },
            input_layernorm: norm(),
            post_attention_layernorm: norm(),
        };
        Self {
            model: Model {
                embed_tokens: Embedding::new(c.vocab_size, hidden, device),
                layers: (0..c.num_hidden_layers).map(layer).collect(),
                norm: norm(),
            },
            lm_head: (!c.tie_word_embeddings).then(|| linear(hidden, c.vocab_size)),
            head,
            theta: c.rope_theta,
            interleaved: c.interleaved,
        }
    }

    fn embed(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        self.model.embed_tokens.forward(ids)
    }

    /// Returns hidden states after the final norm.
    fn decode_last(
        &self,
        embeds: Tensor<3>,
        mask: Tensor<2>,
        _: Option<&EncoderOutput>,
        mut cache: Option<&mut Cache>,
        outputs: usize,
    ) -> Tensor<3> {
        let tokens = embeds.dims()[1];
        let bias = causal_bias(mask.clone(), tokens, &embeds.device());
        let rotation = Rotation::new(mask, tokens, self.head, self.theta, self.interleaved);
        let mut x = embeds;
        for (i, layer) in self.model.layers.iter().enumerate() {
            let last = i + 1 == self.model.layers.len();
            let (bias, rotation) =
                (last_rows(bias.clone(), if last { outputs } else { tokens }), rotation.clone());
            x = match cache.as_deref_mut() {
                Some(cache) => layer.forward(x, &rotation, bias, Some(cache), i),
                None => recompute::block(layer, x, move |layer, x| {
                    layer.forward(x, &rotation, bias.clone(), None, i)
                }),
            };
        }
        // The last layer already dropped the other rows; this covers a model without layers.
        self.model.norm.forward(last_tokens(x, outputs))
    }

    fn logits(&self, hidden: Tensor<3>) -> Tensor<3> {
        match &self.lm_head {
            Some(head) => head.forward(hidden),
            None => tied_logits(hidden, &self.model.embed_tokens),
        }
    }

    fn published() -> PublishedNames {
        PublishedNames::language().lavis_levels("llama_model.", "opt_proj.").alone(gguf)
    }
}

/// Returns the name of a parameter in a GGUF file.
fn gguf(name: &str) -> Vec<Recipe> {
    let whole = [
        ("model.embed_tokens.weight", "token_embd.weight"),
        ("model.norm.weight", "output_norm.weight"),
        ("lm_head.weight", "output.weight"),
    ];
    if let Some((_, theirs)) = whole.iter().find(|(ours, _)| *ours == name) {
        return vec![Recipe::whole(*theirs)];
    }
    let layer = name.strip_prefix("model.layers.").and_then(|rest| rest.split_once('.'));
    let Some((layer, rest)) = layer else { return Vec::new() };
    let parts = [
        ("self_attn.q_proj.", "attn_q."),
        ("self_attn.k_proj.", "attn_k."),
        ("self_attn.v_proj.", "attn_v."),
        ("self_attn.o_proj.", "attn_output."),
        ("mlp.gate_proj.", "ffn_gate."),
        ("mlp.up_proj.", "ffn_up."),
        ("mlp.down_proj.", "ffn_down."),
        ("input_layernorm.", "attn_norm."),
        ("post_attention_layernorm.", "ffn_norm."),
    ];
    let part = parts.iter().find(|(ours, _)| rest.starts_with(ours));
    let name = |(ours, theirs): &(&str, &str)| {
        Recipe::whole(format!("blk.{layer}.{theirs}{}", &rest[ours.len()..]))
    };
    part.map(name).into_iter().collect()
}
