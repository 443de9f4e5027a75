//! The configuration of T5.

use crate::layers::Activation;
use serde::Deserialize;

/// The sizes of a [`super::T5`], in the words of transformers' `T5Config`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct T5Config {
    /// Rows of the token table (published: 32128, more than the tokenizer's ids).
    pub vocab_size: usize,
    /// Width between the blocks, and of the embedding space.
    pub d_model: usize,
    /// Width of one attention head; `num_heads * d_kv` need not be `d_model`.
    pub d_kv: usize,
    /// Width of the feed-forward.
    pub d_ff: usize,
    /// Blocks of the encoder.
    pub num_layers: usize,
    /// Blocks of the decoder; as many as the encoder's if absent.
    #[serde(default)]
    pub num_decoder_layers: Option<usize>,
    /// Attention heads.
    pub num_heads: usize,
    /// Rows of the table of relative positions.
    #[serde(default = "buckets")]
    pub relative_attention_num_buckets: usize,
    /// Distance from which on all positions share a row.
    #[serde(default = "max_distance")]
    pub relative_attention_max_distance: usize,
    /// Activation of the feed-forward.
    pub dense_act: Activation,
    /// `true` if the feed-forward network is gated (v1.1 and Flan: yes).
    #[serde(default = "yes")]
    pub gated: bool,
    /// `true` if the head is the token table (original T5: yes; v1.1 and Flan: no).
    #[serde(default)]
    pub tie_word_embeddings: bool,
    /// `true` if states are scaled by `d_model ^ -0.5` before the head. If absent, they are scaled
    /// if the head is the token table.
    #[serde(default)]
    pub scale_decoder_outputs: Option<bool>,
    /// Epsilon of every norm.
    #[serde(default = "eps")]
    pub layer_norm_epsilon: f64,
    /// Dropout of embeddings, probabilities, feed-forward, branches and stack outputs; a frozen T5
    /// wants 0.
    #[serde(default)]
    pub dropout: f64,
}

fn buckets() -> usize {
    32
}
fn max_distance() -> usize {
    128
}
fn yes() -> bool {
    true
}
fn eps() -> f64 {
    1e-6
}

impl T5Config {
    pub(super) fn inner(&self) -> usize {
        self.num_heads * self.d_kv
    }
    pub(super) fn decoder_layers(&self) -> usize {
        self.num_decoder_layers.unwrap_or(self.num_layers)
    }

    /// Returns `true` if states are scaled before the head.
    #[must_use]
    pub fn scaled(&self) -> bool {
        self.scale_decoder_outputs.unwrap_or(self.tie_word_embeddings)
    }
}
