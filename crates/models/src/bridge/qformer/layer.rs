//! A layer of the Q-Former: self-attention shared by queries and text, cross-attention and a
//! feed-forward network for queries, another feed-forward network for text (BLIP-2, figure 2; LAVIS
//! `blip2_models/Qformer.py`). Every block is BERT's post-norm: `norm(x + dropout(f(x)))`.

use super::QFormerConfig;
use crate::layers::{LayerNorm, Linear, merge_heads, split_heads};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use toolkit_core::{KeysValues, noise};
use toolkit_kernels::AttentionOptions;

/// The end of a block: projection, dropout, residual, normalisation.
#[derive(Module, Debug)]
pub(super) struct Output {
    dense: Linear,
    layer_norm: LayerNorm,
    dropout: f64,
}

impl Output {
    fn new(input: usize, config: &QFormerConfig, device: &Device) -> Self {
        Self {
            dense: Linear::new(input, config.hidden_size, device),
            layer_norm: LayerNorm::new(config.hidden_size, config.layer_norm_eps, device),
            dropout: config.dropout,
        }
    }

    fn forward(&self, x: Tensor<3>, residual: Tensor<3>) -> Tensor<3> {
        let x = noise::dropout(self.dense.forward(x), self.dropout);
        self.layer_norm.forward(toolkit_kernels::add(x, residual))
    }
}

/// An attention block.
#[derive(Module, Debug)]
pub(super) struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    output: Output,
    heads: usize,
    dropout: f64,
}

impl Attention {
    fn new(keys: usize, config: &QFormerConfig, device: &Device) -> Self {
        let width = config.hidden_size;
        Self {
            query: Linear::new(width, width, device),
            key: Linear::new(keys, width, device),
            value: Linear::new(keys, width, device),
            output: Output::new(width, config, device),
            heads: config.num_attention_heads,
            dropout: config.dropout,
        }
    }

    /// Projects `x [batch, tokens, width of keys]` to keys and values.
    pub(super) fn keys_values(&self, x: Tensor<3>) -> KeysValues {
        (
            split_heads(self.key.forward(x.clone()), self.heads),
            split_heads(self.value.forward(x), self.heads),
        )
    }

    /// Computes [`Attention::keys_values`] of `x * scale + shift`.
    fn keys_values_scaled(
        &self,
        x: &Tensor<3>,
        scale: &Tensor<1>,
        shift: &Tensor<1>,
    ) -> KeysValues {
        let one = |linear: &Linear| linear.forward_scaled(x.clone(), scale.clone(), shift.clone());
        (split_heads(one(&self.key), self.heads), split_heads(one(&self.value), self.heads))
    }

    /// Lets rows `x [batch, rows, width]` attend to `(keys, values)`; `bias` broadcasts to `[batch,
    /// heads, rows, keys]`.
    pub(super) fn forward(
        &self,
        x: Tensor<3>,
        own: KeysValues,
        bias: Option<Tensor<4>>,
    ) -> Tensor<3> {
        self.forward_rows(x, own, None, bias)
    }

    /// Runs [`Attention::forward`] where sample i attends to sample `samples[i]` of keys and
    /// values.
    fn forward_rows(
        &self,
        x: Tensor<3>,
        (keys, values): KeysValues,
        samples: Option<&[usize]>,
        bias: Option<Tensor<4>>,
    ) -> Tensor<3> {
        let query = split_heads(self.query.forward(x.clone()), self.heads);
        let scale = 1.0 / (query.dims()[3] as f64).sqrt();
        let options = AttentionOptions::new(scale).bias(bias).rows(samples);
        let context = noise::attention(query, keys, values, options, self.dropout);
        self.output.forward(merge_heads(context), x)
    }

    /// Returns the attention probabilities of rows `x [batch, rows, width]`: `[batch, heads, rows,
    /// keys]`, which sum to 1 over keys.
    pub(super) fn probabilities(&self, x: Tensor<3>, keys: Tensor<4>) -> Tensor<4> {
        let query = split_heads(self.query.forward(x), self.heads);
        let ([batch, heads, rows, width], columns) = (query.dims(), keys.dims()[2]);
        let query = query.reshape([batch * heads, rows, width]);
        let keys = keys.reshape([batch * heads, columns, width]).swap_dims(1, 2);
        let scores = toolkit_kernels::batched_product(query, keys) / (width as f64).sqrt();
        toolkit_kernels::softmax(scores).reshape([batch, heads, rows, columns])
    }
}

/// The first half of a feed-forward network.
#[derive(Module, Debug)]
pub(super) struct Intermediate {
    dense: Linear,
}

impl Intermediate {
    fn new(config: &QFormerConfig, device: &Device) -> Self {
        Self { dense: Linear::new(config.hidden_size, config.intermediate_size, device) }
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        toolkit_kernels::gelu(self.dense.forward(x))
    }
}

/// A layer; the fields are named as in checkpoints.
#[derive(Module, Debug)]
pub(super) struct Layer {
    pub(super) attention: Attention,
    pub(super) crossattention: Option<Attention>,
    intermediate: Intermediate,
    output: Output,
    intermediate_query: Intermediate,
    output_query: Output,
}

impl Layer {
    pub(super) fn new(
        index: usize,
        config: &QFormerConfig,
        vision_width: usize,
        device: &Device,
    ) -> Self {
        Self {
            attention: Attention::new(config.hidden_size, config, device),
            crossattention: config
                .crosses(index)
                .then(|| Attention::new(vision_width, config, device)),
            intermediate: Intermediate::new(config, device),
            output: Output::new(config.intermediate_size, config, device),
            intermediate_query: Intermediate::new(config, device),
            output_query: Output::new(config.intermediate_size, config, device),
        }
    }

    /// Runs the part of the layer behind self-attention on query rows.
    ///
    /// `cross` are this layer's keys and values, if it has cross-attention. Sample i attends to row
    /// `images[i]` of `cross`; without `images`, to row i.
    pub(super) fn query_rows(
        &self,
        mut x: Tensor<3>,
        cross: Option<KeysValues>,
        images: Option<&[usize]>,
    ) -> Tensor<3> {
        if let (Some(block), Some(cross)) = (&self.crossattention, cross) {
            x = block.forward_rows(x, cross, images, None);
        }
        self.output_query.forward(self.intermediate_query.forward(x.clone()), x)
    }

    /// Runs the part of the layer behind self-attention on text rows: they never see the image
    /// directly.
    pub(super) fn text_rows(&self, x: Tensor<3>) -> Tensor<3> {
        self.output.forward(self.intermediate.forward(x.clone()), x)
    }
}

/// The layers.
#[derive(Module, Debug)]
pub(super) struct Encoder {
    pub(super) layer: Vec<Layer>,
}

impl Encoder {
    /// Projects normalised features `[batch, tokens, vision width]` to keys and values, one pair
    /// for each layer with cross-attention.
    pub(super) fn cross(&self, features: &Tensor<3>) -> Vec<KeysValues> {
        self.blocks().map(|block| block.keys_values(features.clone())).collect()
    }

    /// Runs [`Encoder::cross`] on features that `norm` has yet to normalise.
    ///
    /// Features of a frozen encoder are constants. Then scale and shift of the norm move into the
    /// projections' weights, and no tensor as long as the features is recorded. That saves a third
    /// of the projections' cost in training.
    pub(super) fn cross_normalised(
        &self,
        features: Tensor<3>,
        norm: &LayerNorm,
    ) -> Vec<KeysValues> {
        if !features.is_autodiff() || !toolkit_kernels::is_constant(&features) {
            return self.cross(&norm.forward(features));
        }
        let (features, scale, shift) = norm.halves(features);
        self.blocks().map(|block| block.keys_values_scaled(&features, &scale, &shift)).collect()
    }

    fn blocks(&self) -> impl Iterator<Item = &Attention> {
        self.layer.iter().filter_map(|layer| layer.crossattention.as_ref())
    }

    /// Iterates over the layers: number, `true` for the last, the layer, and its pair of `cross`.
    pub(super) fn with_cross<'a>(
        &'a self,
        cross: &'a [KeysValues],
    ) -> impl Iterator<Item = (usize, bool, &'a Layer, Option<KeysValues>)> {
        let mut cross = cross.iter();
        self.layer.iter().enumerate().map(move |(i, layer)| {
            let pair = layer.crossattention.as_ref().and_then(|_| cross.next().cloned());
            (i, i + 1 == self.layer.len(), layer, pair)
        })
    }
}
