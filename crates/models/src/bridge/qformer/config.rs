//! The configuration of a Q-Former, and the sizes and costs that follow from it without a tensor.

use crate::bridge::{positive, vision_eps};
use crate::layers::linear_params;
use serde::{Deserialize, Serialize};
use toolkit_core::{BridgeShape, Cost, Count, ShapeError, TextShape, VisionShape, product};

/// Sizes of a [`super::QFormer`], named as in transformers' `qformer_config`. Defaults are BLIP-2's
/// (BERT-base).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QFormerConfig {
    /// Width of queries and text.
    pub hidden_size: usize,
    /// Number of layers.
    pub num_hidden_layers: usize,
    /// Heads of self- and cross-attention.
    pub num_attention_heads: usize,
    /// Hidden width of the feed-forward networks.
    pub intermediate_size: usize,
    /// Number of learned queries.
    pub num_query_tokens: usize,
    /// Layer `l` attends to the image if `l` is a multiple of this.
    pub cross_attention_frequency: usize,
    /// Rows of the word-embedding table, `[DEC]` included.
    pub vocab_size: usize,
    /// Longest text in tokens.
    pub max_position_embeddings: usize,
    /// Width of the shared space of the contrastive loss.
    pub image_text_hidden_size: usize,
    /// Variance offset of BERT's layer normalisations.
    pub layer_norm_eps: f64,
    /// Variance offset of `ln_vision`: 1e-5 in LAVIS, 1e-6 in Hugging Face's conversions.
    pub vision_layer_norm_eps: f64,
    /// Dropout of hidden states and of attention probabilities.
    pub dropout: f64,
    /// Width of the image features, where the card states it; else the encoder's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoder_hidden_size: Option<usize>,
    /// Initial value of the learned temperature of the contrastive loss.
    pub temperature: f64,
}

impl Default for QFormerConfig {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            intermediate_size: 3072,
            num_query_tokens: 32,
            cross_attention_frequency: 2,
            vocab_size: 30_523,
            max_position_embeddings: 512,
            image_text_hidden_size: 256,
            layer_norm_eps: 1e-12,
            vision_layer_norm_eps: vision_eps(),
            dropout: 0.1,
            encoder_hidden_size: None,
            temperature: 0.07,
        }
    }
}

impl QFormerConfig {
    /// Returns `true` if layer `layer` attends to the image.
    #[must_use]
    pub fn crosses(&self, layer: usize) -> bool {
        layer.is_multiple_of(self.cross_attention_frequency)
    }

    /// Returns the number of layers that attend to the image.
    #[must_use]
    pub fn cross_layers(&self) -> usize {
        self.num_hidden_layers.div_ceil(self.cross_attention_frequency)
    }

    pub(super) fn check(&self, vision: &VisionShape) -> Result<(), ShapeError> {
        positive(&[
            ("hidden_size", self.hidden_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("intermediate_size", self.intermediate_size),
            ("num_query_tokens", self.num_query_tokens),
            ("cross_attention_frequency", self.cross_attention_frequency),
            ("vocab_size", self.vocab_size),
            ("max_position_embeddings", self.max_position_embeddings),
            ("image_text_hidden_size", self.image_text_hidden_size),
        ])?;
        ShapeError::unless_divides(
            ("num_attention_heads", self.num_attention_heads),
            ("hidden_size", self.hidden_size),
        )?;
        if let Some(width) = self.encoder_hidden_size.filter(|&width| width != vision.width) {
            let what = format!(
                "`encoder_hidden_size` = {width}, but the encoder's features are {} wide",
                vision.width
            );
            let hint = "leave `encoder_hidden_size` out: it is taken from the encoder";
            return Err(ShapeError::new(what, hint));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(ShapeError::new(
                format!("`dropout` = {}", self.dropout),
                "`dropout` must be in [0, 1)",
            ));
        }
        if self.temperature.is_nan() || self.temperature <= 0.0 {
            let what = format!("`temperature` = {}", self.temperature);
            return Err(ShapeError::new(
                what,
                "`temperature` must be above 0: similarities are divided by it",
            ));
        }
        Ok(())
    }

    /// Parameters of one attention block over keys of width `keys`, output and normalisation
    /// included.
    fn attention_params(&self, keys: usize) -> Count {
        let width = self.hidden_size;
        (linear_params(width, width, true) + linear_params(keys, width, true)) * 2_u64 + 2 * width
    }

    /// Parameters of one feed-forward network, normalisation included.
    fn ffn_params(&self) -> Count {
        let (width, inner) = (self.hidden_size, self.intermediate_size);
        linear_params(width, inner, true) + linear_params(inner, width, true) + 2 * width
    }

    /// Counts the parameters that only stage 1 uses: text embeddings, text feed-forward networks
    /// and the heads.
    fn text_params(&self) -> Count {
        let width = self.hidden_size;
        let tables = product([self.vocab_size + self.max_position_embeddings, width]);
        // The decoder is tied to the word embeddings; it adds its bias alone.
        let language_head = linear_params(width, width, true) + 2 * width + self.vocab_size;
        let projections = linear_params(width, self.image_text_hidden_size, true) * 2_u64;
        let temperature = 1_usize;
        tables
            + self.ffn_params() * self.num_hidden_layers
            + language_head
            + projections
            + linear_params(width, 2, true)
            + temperature
    }

    /// Counts the floating-point operations of the query pass for one image.
    fn flops(&self, vision: &VisionShape) -> Count {
        let [width, inner, queries, tokens, features] = [
            self.hidden_size,
            self.intermediate_size,
            self.num_query_tokens,
            vision.tokens,
            vision.width,
        ];
        let own = product([8, queries, width, width]) + product([4, queries, queries, width]);
        let ffn = product([4, queries, width, inner]);
        let keys = product([4, tokens, features, width]) + product([4, queries, tokens, width]);
        let cross = product([4, queries, width, width]) + keys;
        (own + ffn) * self.num_hidden_layers + cross * self.cross_layers()
    }

    /// Numbers that the backward pass needs of one token in all layers.
    fn activations_of_token(&self, vision: &VisionShape) -> Count {
        let [width, inner, heads] =
            [self.hidden_size, self.intermediate_size, self.num_attention_heads];
        // Query, key, value, what they make of each other; inputs and outputs of two
        // normalisations; both sides of GELU.
        let own = 8 * width + 2 * inner;
        // Query, context, and a normalisation.
        let cross = 4 * width;
        // A byte for each number and probability that may be dropped.
        let own_noise = product([heads, self.num_query_tokens]) + 2 * width;
        let cross_noise = product([heads, vision.tokens]) + width;
        let noise =
            |bytes: Count| if self.dropout > 0.0 { bytes.over(4) } else { Count::default() };
        let (layers, crossing) = (self.num_hidden_layers, self.cross_layers());
        (noise(own_noise) + own) * layers + (noise(cross_noise) + cross) * crossing
    }

    /// Counts the activations of one image: its keys and values.
    fn activations_of_image(&self, vision: &VisionShape) -> Count {
        product([2, self.cross_layers(), vision.tokens, self.hidden_size])
    }

    pub(super) fn shape(&self, vision: &VisionShape) -> BridgeShape {
        BridgeShape {
            queries: self.num_query_tokens,
            width: self.hidden_size,
            text: Some(TextShape {
                vocab: self.vocab_size,
                positions: self.max_position_embeddings,
                embed: self.image_text_hidden_size,
                activations: self.activations_of_token(vision).get(),
            }),
            cost: Cost::new(
                self.text_params() + stage2_params(self, vision),
                self.flops(vision),
                self.activations_of_token(vision) * self.num_query_tokens
                    + self.activations_of_image(vision),
            ),
        }
    }
}

/// Parameters that stage 2 trains: `ln_vision`, the queries and everything their pass goes through.
/// BLIP-2's table of trained parameters counts these and the projection to the language model.
#[must_use]
pub fn stage2_params(config: &QFormerConfig, vision: &VisionShape) -> u64 {
    let width = config.hidden_size;
    let inputs = product([config.num_query_tokens, width]) + 2 * vision.width + 2 * width;
    let all = inputs
        + (config.attention_params(width) + config.ffn_params()) * config.num_hidden_layers
        + config.attention_params(vision.width) * config.cross_layers();
    all.get()
}

/// Returns `true` if the parameter `name` is on the query path: stage 2 trains it, and
/// [`stage2_params`] counts it.
#[must_use]
pub fn is_query_path(name: &str) -> bool {
    let prefixes = ["query_tokens", "ln_vision.", "embeddings.layer_norm."];
    let blocks = ["attention", "crossattention", "intermediate_query", "output_query"];
    let block = name.strip_prefix("encoder.layer.").and_then(|rest| rest.split('.').nth(1));
    prefixes.iter().any(|prefix| name.starts_with(prefix))
        || block.is_some_and(|block| blocks.contains(&block))
}
