//! OPT: BLIP-2's decoder-only language models, and `opt-nano`.
//!
//! Parameter names are those of transformers' `OPTForCausalLM`; the head is the token table, so
//! `lm_head.weight` of a checkpoint is a copy of `model.decoder.embed_tokens.weight` and no
//! parameter here. All published sizes but 350m are pre-LN; 350m is post-LN and keeps its
//! embeddings at 512 between `project_in` and `project_out`, so its soft prefix is 512 wide. OPT:
//! Zhang et al., 2022, arXiv:2205.01068. Trap: every layer has a `final_layer_norm` (of its
//! feed-forward) beside the decoder's own.

use super::{causal_bias, last_rows, last_tokens, tied_logits};
use crate::layers::{Embedding, LayerNorm, Linear, linear_params, merge_heads, split_heads};
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use serde::Deserialize;
use toolkit_core::noise::dropout;
use toolkit_core::params::{Info, Init, bert_rule};
use toolkit_core::published::{PublishedNames, Recipe};
use toolkit_core::recompute;
use toolkit_core::{
    Cache, Cost, Count, EncoderOutput, LanguageKind, LanguageModel, LanguageShape, ShapeError,
    product,
};
use toolkit_kernels::{AttentionOptions, attention};

/// Position `p` reads row `p + 2`, as in fairseq; a hidden position counts as -1 and reads row 1.
const POSITION_OFFSET: usize = 2;

/// Epsilon of every norm; not configurable in OPT.
const EPS: f64 = 1e-5;

/// Sizes of an [`Opt`], in the words of transformers' `OPTConfig`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptConfig {
    /// Rows of the token table (published: 50272, more than the tokenizer's ids).
    pub vocab_size: usize,
    /// Width between the layers.
    pub hidden_size: usize,
    /// Number of layers.
    pub num_hidden_layers: usize,
    /// Attention heads.
    pub num_attention_heads: usize,
    /// Width of the feed-forward.
    pub ffn_dim: usize,
    /// Longest sequence, soft prefix included (published: 2048).
    pub max_position_embeddings: usize,
    /// Width of the embedding space; `hidden_size` if absent, 512 in OPT-350m.
    #[serde(default)]
    pub word_embed_proj_dim: Option<usize>,
    /// Pre-LN (all but OPT-350m) or post-LN.
    #[serde(default = "yes")]
    pub do_layer_norm_before: bool,
    /// Dropout after attention and feed-forward; OPT was trained with 0.1, a frozen one wants 0.
    #[serde(default)]
    pub dropout: f64,
}

fn yes() -> bool {
    true
}

impl OptConfig {
    /// Returns the width of the embedding space.
    fn width(&self) -> usize {
        self.word_embed_proj_dim.unwrap_or(self.hidden_size)
    }
    /// Returns `true` if embeddings are projected to the hidden size and back.
    fn projects(&self) -> bool {
        self.width() != self.hidden_size
    }
}

#[derive(Module, Debug)]
struct SelfAttention {
    k_proj: Linear,
    v_proj: Linear,
    q_proj: Linear,
    out_proj: Linear,
    heads: usize,
}

impl SelfAttention {
    /// Attends with `x [batch, new, hidden]` and `bias [batch, 1, outputs, past + new]`, and
    /// returns the last tokens: `[batch, outputs, hidden]`.
    fn forward(
        &self,
        x: Tensor<3>,
        bias: Tensor<4>,
        cache: Option<&mut Cache>,
        layer: usize,
    ) -> Tensor<3> {
        let scale = 1.0 / ((x.dims()[2] / self.heads) as f64).sqrt();
        let split = |y| split_heads(y, self.heads);
        let q = split(self.q_proj.forward(last_tokens(x.clone(), bias.dims()[2])));
        let (k, v) = (split(self.k_proj.forward(x.clone())), split(self.v_proj.forward(x)));
        let attended = match cache {
            Some(cache) => cache.attend(layer, q, (k, v), bias, scale),
            None => attention(q, k, v, AttentionOptions::new(scale).bias(bias)),
        };
        self.out_proj.forward(merge_heads(attended))
    }
}

#[derive(Module, Debug)]
struct Layer {
    self_attn: SelfAttention,
    self_attn_layer_norm: LayerNorm,
    fc1: Linear,
    fc2: Linear,
    final_layer_norm: LayerNorm,
    norm_before: bool,
    dropout: f64,
}

impl Layer {
    /// Runs the layer over `x [batch, new, hidden]` and returns the last tokens, as many as `bias`
    /// has rows: `[batch, outputs, hidden]`.
    fn forward(
        &self,
        x: Tensor<3>,
        bias: Tensor<4>,
        cache: Option<&mut Cache>,
        layer: usize,
    ) -> Tensor<3> {
        let x = self.residual(x, &self.self_attn_layer_norm, |y| {
            self.self_attn.forward(y, bias, cache, layer)
        });
        self.residual(x, &self.final_layer_norm, |y| {
            self.fc2.forward(toolkit_kernels::relu(self.fc1.forward(y)))
        })
    }

    /// Adds `inner` to its input, with the norm before `inner` or after the sum.
    fn residual(
        &self,
        x: Tensor<3>,
        norm: &LayerNorm,
        inner: impl FnOnce(Tensor<3>) -> Tensor<3>,
    ) -> Tensor<3> {
        if self.norm_before {
            let y = inner(norm.forward(x.clone()));
            let x = last_tokens(x, y.dims()[1]);
            toolkit_kernels::add(dropout(y, self.dropout), x)
        } else {
            let y = inner(x.clone());
            let x = last_tokens(x, y.dims()[1]);
            norm.forward(toolkit_kernels::add(dropout(y, self.dropout), x))
        }
    }
}

#[derive(Module, Debug)]
struct Decoder {
    embed_tokens: Embedding,
    embed_positions: Embedding,
    project_in: Option<Linear>,
    project_out: Option<Linear>,
    /// Absent when layers are post-LN: they end in a norm already.
    final_layer_norm: Option<LayerNorm>,
    layers: Vec<Layer>,
}

#[derive(Module, Debug)]
struct Model {
    decoder: Decoder,
}

/// A decoder-only language model of OPT's form.
#[derive(Module, Debug)]
pub struct Opt {
    model: Model,
}

/// Returns OPT's initialisation: N(0, 0.02), biases 0, norms 1. That is BERT's rule.
#[must_use]
pub fn init(info: &Info) -> Init {
    bert_rule(info)
}

/// Rows of the position table for the last `tokens` columns of `mask [batch, past + tokens]`:
/// `[batch, tokens]`. Hidden positions are not counted, so text after left padding goes on where
/// the soft prefix ended.
fn position_rows(mask: Tensor<2>, tokens: usize) -> Tensor<2, Int> {
    // Integers, because a running sum in bf16 is wrong beyond 256.
    let mask = mask.int();
    let past = mask.dims()[1] - tokens;
    let counted = mask.clone().cumsum(1) * mask;
    counted.narrow(1, past, tokens) + (POSITION_OFFSET as i32 - 1)
}

impl LanguageModel for Opt {
    type Config = OptConfig;

    fn describe(c: &OptConfig) -> Result<LanguageShape, ShapeError> {
        ShapeError::unless_divides(
            ("num_attention_heads", c.num_attention_heads),
            ("hidden_size", c.hidden_size),
        )?;
        let (hidden, ffn, width) = (c.hidden_size, c.ffn_dim, c.width());
        let layers = c.num_hidden_layers;
        let norm = product([2, hidden]);
        let matrices = |bias| {
            linear_params(hidden, hidden, bias) * 4_u64
                + linear_params(hidden, ffn, bias)
                + linear_params(ffn, hidden, bias)
        };
        let nothing = Count::default();
        let projections =
            if c.projects() { linear_params(width, hidden, false) * 2_u64 } else { nothing };
        let tokens = product([c.vocab_size, width]);
        let params = tokens
            + product([c.max_position_embeddings + POSITION_OFFSET, hidden])
            + projections
            + (matrices(true) + norm * 2_u64) * layers
            + if c.do_layer_norm_before { norm } else { nothing };
        let flops = (matrices(false) * layers + projections + tokens) * 2_u64;
        Ok(LanguageShape {
            kind: LanguageKind::DecoderOnly,
            width,
            vocab: c.vocab_size,
            positions: Some(c.max_position_embeddings),
            blocks: c.num_hidden_layers,
            cross_activations: 0,
            // Inputs of two normalisations, query, key, value and context, and what ReLU let
            // through.
            cost: Cost::new(params, flops, product([layers, 6 * hidden + ffn])),
        })
    }

    fn build(c: &OptConfig, device: &Device) -> Self {
        let (hidden, width) = (c.hidden_size, c.width());
        let linear = || Linear::new(hidden, hidden, device);
        let norm = || LayerNorm::new(hidden, EPS, device);
        let layer = |_| Layer {
            self_attn: SelfAttention {
                k_proj: linear(),
                v_proj: linear(),
                q_proj: linear(),
                out_proj: linear(),
                heads: c.num_attention_heads,
            },
            self_attn_layer_norm: norm(),
            fc1: Linear::new(hidden, c.ffn_dim, device),
            fc2: Linear::new(c.ffn_dim, hidden, device),
            final_layer_norm: norm(),
            norm_before: c.do_layer_norm_before,
            dropout: c.dropout,
        };
        let decoder = Decoder {
            embed_tokens: Embedding::new(c.vocab_size, width, device),
            embed_positions: Embedding::new(
                c.max_position_embeddings + POSITION_OFFSET,
                hidden,
                device,
            ),
            project_in: c.projects().then(|| Linear::without_bias(width, hidden, device)),
            project_out: c.projects().then(|| Linear::without_bias(hidden, width, device)),
            final_layer_norm: c.do_layer_norm_before.then(norm),
            layers: (0..c.num_hidden_layers).map(layer).collect(),
        };
        Self { model: Model { decoder } }
    }

    fn embed(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        self.model.decoder.embed_tokens.forward(ids)
    }

    /// Returns hidden states after the final norm and `project_out`: as wide as the embeddings.
    fn decode_last(
        &self,
        embeds: Tensor<3>,
        mask: Tensor<2>,
        _: Option<&EncoderOutput>,
        mut cache: Option<&mut Cache>,
        outputs: usize,
    ) -> Tensor<3> {
        let decoder = &self.model.decoder;
        let tokens = embeds.dims()[1];
        let bias = causal_bias(mask.clone(), tokens, &embeds.device());
        let positions = decoder.embed_positions.forward(position_rows(mask, tokens));
        let mut x = match &decoder.project_in {
            Some(project) => project.forward(embeds),
            None => embeds,
        };
        x = x + positions;
        for (i, layer) in decoder.layers.iter().enumerate() {
            let last = i + 1 == decoder.layers.len();
            let bias = last_rows(bias.clone(), if last { outputs } else { tokens });
            x = match cache.as_deref_mut() {
                Some(cache) => layer.forward(x, bias, Some(cache), i),
                None => recompute::block(layer, x, move |layer, x| {
                    layer.forward(x, bias.clone(), None, i)
                }),
            };
        }
        // The last layer already dropped the other rows; this covers a model without layers.
        x = last_tokens(x, outputs);
        if let Some(norm) = &decoder.final_layer_norm {
            x = norm.forward(x);
        }
        match &decoder.project_out {
            Some(project) => project.forward(x),
            None => x,
        }
    }

    fn logits(&self, hidden: Tensor<3>) -> Tensor<3> {
        tied_logits(hidden, &self.model.decoder.embed_tokens)
    }

    fn published() -> PublishedNames {
        PublishedNames::language().lavis_levels("opt_model.", "opt_proj.").alone(alone)
    }
}

/// Returns further names in files of the model alone.
fn alone(name: &str) -> Vec<Recipe> {
    // The files first released for OPT lack the outer level.
    let mut all: Vec<Recipe> = name.strip_prefix("model.").map(Recipe::whole).into_iter().collect();
    if name == "model.decoder.embed_tokens.weight" {
        all.extend(["language_model.lm_head.weight", "lm_head.weight"].map(Recipe::whole));
    }
    all
}
