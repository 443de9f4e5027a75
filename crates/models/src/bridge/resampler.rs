//! Flamingo's Perceiver Resampler (Alayrac et al. 2022, section 3.1.1 and figure 5): latents that
//! read the features and themselves. Like a Q-Former it gives a fixed number of vectors, but it has
//! no text side, hence no stage 1.
//!
//! Images are single frames, so there are no temporal embeddings. Where latents are not as wide as
//! the features, a linear layer brings these to their width; Flamingo's latents are as wide, ours
//! need not be.

use super::{positive, vision_eps};
use crate::layers::{LayerNorm, Linear, linear_params, merge_heads, parameter, split_heads};
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use toolkit_core::{Bridge, BridgeShape, Cost, Count, ShapeError, VisionShape, product};
use toolkit_kernels::{AttentionOptions, attention};

/// Configuration of [`Resampler`]; names are those of the Q-Former, so that cards compare line by
/// line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResamplerConfig {
    /// Width of a latent.
    pub hidden_size: usize,
    /// Number of layers.
    pub num_hidden_layers: usize,
    /// Heads of attention.
    pub num_attention_heads: usize,
    /// Hidden width of the feed-forward networks.
    pub intermediate_size: usize,
    /// Number of latents.
    pub num_query_tokens: usize,
    /// Variance offset of the layer normalisations on latents and on features within layers.
    pub layer_norm_eps: f64,
    /// Variance offset of `ln_vision`.
    pub vision_layer_norm_eps: f64,
}

impl Default for ResamplerConfig {
    /// Returns Flamingo's sizes: six layers, 64 latents, a feed-forward network four times as wide.
    fn default() -> Self {
        Self {
            hidden_size: 1024,
            num_hidden_layers: 6,
            num_attention_heads: 16,
            intermediate_size: 4096,
            num_query_tokens: 64,
            layer_norm_eps: 1e-5,
            vision_layer_norm_eps: vision_eps(),
        }
    }
}

/// A layer: attention and feed-forward network, each behind a normalisation, without biases, as in
/// Flamingo.
#[derive(Module, Debug)]
struct Layer {
    norm_features: LayerNorm,
    norm_latents: LayerNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    norm_ffn: LayerNorm,
    fc1: Linear,
    fc2: Linear,
    heads: usize,
}

impl Layer {
    fn new(config: &ResamplerConfig, device: &Device) -> Self {
        let (width, inner) = (config.hidden_size, config.intermediate_size);
        let norm = || LayerNorm::new(width, config.layer_norm_eps, device);
        let square = || Linear::without_bias(width, width, device);
        Self {
            norm_features: norm(),
            norm_latents: norm(),
            query: square(),
            key: square(),
            value: square(),
            output: square(),
            norm_ffn: norm(),
            fc1: Linear::without_bias(width, inner, device),
            fc2: Linear::without_bias(inner, width, device),
            heads: config.num_attention_heads,
        }
    }

    fn forward(&self, latents: Tensor<3>, features: Tensor<3>) -> Tensor<3> {
        let x = self.norm_latents.forward(latents.clone());
        let seen = Tensor::cat(vec![self.norm_features.forward(features), x.clone()], 1);
        let query = split_heads(self.query.forward(x), self.heads);
        let key = split_heads(self.key.forward(seen.clone()), self.heads);
        let value = split_heads(self.value.forward(seen), self.heads);
        let scale = 1.0 / (query.dims()[3] as f64).sqrt();
        let read = merge_heads(attention(query, key, value, AttentionOptions::new(scale)));
        let latents = latents + self.output.forward(read);
        let inner = toolkit_kernels::gelu(self.fc1.forward(self.norm_ffn.forward(latents.clone())));
        latents + self.fc2.forward(inner)
    }
}

/// Latents that attend to image features.
#[derive(Module, Debug)]
pub struct Resampler {
    latents: Param<Tensor<3>>,
    ln_vision: LayerNorm,
    projection: Option<Linear>,
    layers: Vec<Layer>,
    norm: LayerNorm,
}

impl Bridge for Resampler {
    type Config = ResamplerConfig;

    fn describe(config: &ResamplerConfig, vision: &VisionShape) -> Result<BridgeShape, ShapeError> {
        let [width, layers, heads] =
            [config.hidden_size, config.num_hidden_layers, config.num_attention_heads];
        let [inner, queries] = [config.intermediate_size, config.num_query_tokens];
        positive(&[
            ("hidden_size", width),
            ("num_hidden_layers", layers),
            ("num_attention_heads", heads),
            ("intermediate_size", inner),
            ("num_query_tokens", queries),
        ])?;
        ShapeError::unless_divides(("num_attention_heads", heads), ("hidden_size", width))?;
        let nothing = Count::default();
        let layer = product([4, width, width]) + product([2, width, inner]) + 6 * width;
        let projects = width != vision.width;
        let projection = if projects { linear_params(vision.width, width, true) } else { nothing };
        let params =
            product([queries, width]) + 2 * vision.width + layer * layers + 2 * width + projection;

        let keys = queries + vision.tokens;
        let products =
            product([4, queries + keys, width, width]) + product([4, queries, keys, width]);
        let project =
            if projects { product([2, vision.tokens, vision.width, width]) } else { nothing };
        let flops = project + (products + product([4, queries, width, inner])) * layers;
        // The normalised features and their projection; in each layer keys and values of
        // everything, and about what a token of a Q-Former keeps.
        let own = if projects { product([vision.tokens, vision.width]) } else { nothing };
        let layer = product([2, keys, width]) + product([queries, 8 * width + 2 * inner]);
        let activations = product([2, vision.tokens, width]) + own + layer * layers;
        Ok(BridgeShape { queries, width, text: None, cost: Cost::new(params, flops, activations) })
    }

    fn build(config: &ResamplerConfig, vision: &VisionShape, device: &Device) -> Self {
        let width = config.hidden_size;
        Self {
            latents: parameter([1, config.num_query_tokens, width], device),
            ln_vision: LayerNorm::new(vision.width, config.vision_layer_norm_eps, device),
            projection: (width != vision.width).then(|| Linear::new(vision.width, width, device)),
            layers: (0..config.num_hidden_layers).map(|_| Layer::new(config, device)).collect(),
            norm: LayerNorm::new(width, config.layer_norm_eps, device),
        }
    }

    fn queries(&self, features: Tensor<3>) -> Tensor<3> {
        let mut features = self.ln_vision.forward(features);
        if let Some(projection) = &self.projection {
            features = projection.forward(features);
        }
        let latents = self.latents.val();
        let [_, queries, width] = latents.dims();
        let latents = latents.expand([features.dims()[0], queries, width]);
        self.norm.forward(
            self.layers.iter().fold(latents, |x, layer| layer.forward(x, features.clone())),
        )
    }
}
