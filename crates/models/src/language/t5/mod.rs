//! T5: BLIP-2's encoder-decoder language models (Flan-T5), and `t5-nano`.
//!
//! Parameter names are those of transformers' `T5ForConditionalGeneration`;
//! `encoder.embed_tokens.weight` and `decoder.embed_tokens.weight` of a checkpoint are copies of
//! `shared.weight` and no parameters here. No `Linear` has a bias, scores are not scaled, positions
//! are a learned bias of the scores by distance. T5: Raffel et al., 2020, arXiv:1910.10683; Flan-T5
//! is its v1.1: gated feed-forward, head of its own. Trap: stock Flan-T5 says `gelu_new`; BLIP-2
//! was trained with `gelu` and published that in its configuration.

#![expect(
    non_snake_case,
    reason = "fields are named as in published checkpoints, and the derive repeats the names"
)]

mod block;
mod buckets;
mod config;

pub use buckets::bucket;
pub use config::T5Config;

use super::{causal_bias, last_tokens, tied_logits};
use crate::layers::{Embedding, Linear, RmsNorm, linear_params, mask_bias};
use block::{CrossLayer, DecoderLayer, FeedForward, Memory, SelfLayer, decoder_block, norm};
use buckets::Buckets;
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use toolkit_core::noise::dropout;
use toolkit_core::params::{Info, Init};
use toolkit_core::published::{PublishedNames, Recipe};
use toolkit_core::recompute;
use toolkit_core::{
    Cache, Cost, Count, EncoderOutput, LanguageKind, LanguageModel, LanguageShape, ShapeError,
    product,
};

/// A block; the indices of the tuple are the names `layer.0`, `layer.1`.
#[derive(Module, Debug)]
struct Block<L: Module> {
    layer: L,
}

#[derive(Module, Debug)]
struct Stack<L: Module> {
    block: Vec<Block<L>>,
    final_layer_norm: RmsNorm,
}

/// An encoder-decoder language model of T5's form.
#[derive(Module, Debug)]
pub struct T5 {
    shared: Embedding,
    encoder: Stack<(SelfLayer, FeedForward)>,
    decoder: Stack<(SelfLayer, CrossLayer, FeedForward)>,
    lm_head: Option<Linear>,
    scaled: bool,
    #[module(skip)]
    buckets: Buckets,
    dropout: f64,
}

/// Returns T5's initialisation: Mesh TensorFlow's rule, as in transformers'
/// `T5PreTrainedModel._init_weights` except for the untied head.
///
/// The head is N(0, 1) in transformers and Mesh TensorFlow's N(0, 1 / d_model) here. With the
/// former, a model trained from scratch starts at a loss of tens.
#[must_use]
pub fn init(c: &T5Config, info: &Info) -> Init {
    let normal = |fan: usize| Init::Normal(1.0 / (fan as f64).sqrt());
    match info.name.rsplit('.').nth(1).unwrap_or_default() {
        "layer_norm" | "final_layer_norm" => Init::Constant(1.0),
        "shared" => Init::Normal(1.0),
        // Smaller by sqrt(d_kv), because scores are not scaled.
        "q" => normal(c.d_model * c.d_kv),
        "o" => normal(c.inner()),
        "wo" => normal(c.d_ff),
        _ => normal(c.d_model),
    }
}

/// Returns the table of relative positions of a stack, which its first block holds.
fn position_table(first: Option<&SelfLayer>) -> Option<&Embedding> {
    first.and_then(|layer| layer.SelfAttention.relative_attention_bias.as_ref())
}

impl LanguageModel for T5 {
    type Config = T5Config;

    /// Counts in `flops` a token that passes encoder, decoder and head: "one token in, one token
    /// out".
    fn describe(c: &T5Config) -> Result<LanguageShape, ShapeError> {
        let (rows, far) = (c.relative_attention_num_buckets, c.relative_attention_max_distance);
        if rows < 4 || rows % 2 == 1 || far <= rows / 2 {
            let what = format!(
                "`relative_attention_num_buckets` = {rows}, `relative_attention_max_distance` = \
                {far}"
            );
            return Err(ShapeError::new(
                what,
                "make the first even and at least 4, the second larger than its half",
            ));
        }
        let (encoder, decoder) = (c.num_layers, c.decoder_layers());
        let attention = linear_params(c.d_model, c.inner(), false) * 4_u64;
        let dense = linear_params(c.d_model, c.d_ff, false) * if c.gated { 3_u64 } else { 2 };
        let matrices = (attention + dense) * encoder + (attention * 2_u64 + dense) * decoder;
        let norms = product([2 * encoder + 3 * decoder + 2, c.d_model]);
        let tokens = linear_params(c.vocab_size, c.d_model, false);
        let tables = if c.tie_word_embeddings { tokens } else { tokens * 2_u64 };
        let cross_activations = product([4, decoder, c.inner()]);
        let biases =
            product([rows, c.num_heads, usize::from(encoder > 0) + usize::from(decoder > 0)]);
        let inside = Count::from(2 * c.d_model)
            + product([4, c.inner()])
            + if c.gated { 3 } else { 1 } * c.d_ff;
        Ok(LanguageShape {
            kind: LanguageKind::EncoderDecoder,
            width: c.d_model,
            vocab: c.vocab_size,
            positions: None,
            // Those of one stack.
            blocks: c.num_layers,
            cross_activations: cross_activations.get(),
            // A token passes one of the two stacks, as Llama's. The encoder's leave keys and values
            // with their gradients to all of the decoder's blocks; the decoder's, about as much in
            // cross-attention.
            cost: Cost::new(
                matrices + norms + tables + biases,
                (matrices + tokens) * 2_u64,
                inside * encoder + cross_activations,
            ),
        })
    }

    fn build(c: &T5Config, device: &Device) -> Self {
        let own = |i| SelfLayer::new(c, i == 0, device);
        let encoder = |i| Block { layer: (own(i), FeedForward::new(c, device)) };
        let decoder =
            |i| Block { layer: (own(i), CrossLayer::new(c, device), FeedForward::new(c, device)) };
        let (rows, max_distance) =
            (c.relative_attention_num_buckets, c.relative_attention_max_distance);
        Self {
            shared: Embedding::new(c.vocab_size, c.d_model, device),
            encoder: Stack {
                block: (0..c.num_layers).map(encoder).collect(),
                final_layer_norm: norm(c, device),
            },
            decoder: Stack {
                block: (0..c.decoder_layers()).map(decoder).collect(),
                final_layer_norm: norm(c, device),
            },
            lm_head: (!c.tie_word_embeddings)
                .then(|| Linear::without_bias(c.d_model, c.vocab_size, device)),
            scaled: c.scaled(),
            buckets: Buckets { rows, max_distance },
            dropout: c.dropout,
        }
    }

    fn embed(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        self.shared.forward(ids)
    }

    fn encode(&self, embeds: Tensor<3>, mask: Tensor<2>) -> EncoderOutput {
        let bias = mask_bias(mask.clone().unsqueeze_dims(&[1, 2]));
        let table = position_table(self.encoder.block.first().map(|block| &block.layer.0));
        let bias = self.buckets.add(bias, table, embeds.dims()[1], true);
        let mut x = dropout(embeds, self.dropout);
        for Block { layer } in &self.encoder.block {
            let bias = bias.clone();
            x = recompute::block(layer, x, move |(attention, feed_forward), x| {
                feed_forward.forward(attention.forward(x, bias.clone(), None, 0))
            });
        }
        let x = dropout(self.encoder.final_layer_norm.forward(x), self.dropout);
        let cross = self
            .decoder
            .block
            .iter()
            .map(|block| block.layer.1.EncDecAttention.keys_values(x.clone()));
        EncoderOutput::new(cross, mask)
    }

    fn decode_last(
        &self,
        embeds: Tensor<3>,
        mask: Tensor<2>,
        memory: Option<&EncoderOutput>,
        mut cache: Option<&mut Cache>,
        outputs: usize,
    ) -> Tensor<3> {
        let memory =
            memory.expect("an encoder-decoder model decodes from a memory: call `encode` first");
        let tokens = embeds.dims()[1];
        let cross_bias = mask_bias(memory.mask().unsqueeze_dims(&[1, 2]));
        let bias = causal_bias(mask, tokens, &embeds.device());
        let table = position_table(self.decoder.block.first().map(|block| &block.layer.0));
        let bias = self.buckets.add(bias, table, tokens, false);
        let mut x = dropout(embeds, self.dropout);
        for (i, Block { layer }) in self.decoder.block.iter().enumerate() {
            let (bias, cross_bias) = (bias.clone(), cross_bias.clone());
            x = match cache.as_deref_mut() {
                Some(cache) => {
                    let memory = Memory { output: memory, layer: i, bias: cross_bias };
                    decoder_block(layer, x, bias, (Some(cache), i), memory)
                }
                None => {
                    let (keys, values) = memory.keys_values(i);
                    let mask = memory.mask();
                    let run = move |layer: &DecoderLayer, x, [keys, values]: [Tensor<4>; 2]| {
                        let output = &EncoderOutput::new([(keys, values)], mask.clone());
                        let memory = Memory { output, layer: 0, bias: cross_bias.clone() };
                        decoder_block(layer, x, bias.clone(), (None, i), memory)
                    };
                    recompute::block_with_inputs(layer, x, [keys, values], run)
                }
            };
        }
        last_tokens(dropout(self.decoder.final_layer_norm.forward(x), self.dropout), outputs)
    }

    fn logits(&self, hidden: Tensor<3>) -> Tensor<3> {
        // The table starts at N(0, 1), so a tied head needs the scale that an untied one has in its
        // weights.
        let width = hidden.dims()[2] as f64;
        let hidden = if self.scaled { hidden * (1.0 / width.sqrt()) } else { hidden };
        match &self.lm_head {
            Some(head) => head.forward(hidden),
            None => tied_logits(hidden, &self.shared),
        }
    }

    fn published() -> PublishedNames {
        PublishedNames::language().lavis_levels("t5_model.", "t5_proj.").alone(alone)
    }
}

/// Returns the names of the copies of the token table in files of the model alone.
fn alone(name: &str) -> Vec<Recipe> {
    if name != "shared.weight" {
        return Vec::new();
    }
    let tables = [
        "language_model.encoder.embed_tokens.weight",
        "encoder.embed_tokens.weight",
        "language_model.decoder.embed_tokens.weight",
        "decoder.embed_tokens.weight",
    ];
    tables.map(Recipe::whole).into()
}
