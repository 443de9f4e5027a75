//! The Q-Former (BLIP-2, section 3; LAVIS `blip2_models/Qformer.py`,
//! `blip2_models/blip2_qformer.py`).
//!
//! Parameter names are those of LAVIS in snake case without the levels that hold nothing
//! (`Qformer.bert.`, `.self.`, `cls.predictions.`): `encoder.layer.0.attention.query.weight`,
//! `embeddings.word_embeddings.weight`, `cls.bias`.

mod config;
mod init;
mod layer;
mod names;
mod text;

pub use config::{QFormerConfig, is_query_path, stage2_params};
pub use init::{QFormerInit, initialise};
pub use names::{Side, of_bert, side};

use crate::layers::{Embedding, LayerNorm, Linear, parameter};
use burn::module::{Module, Param, ParamId};
use burn::tensor::{Device, Int, Shape, Tensor};
use layer::{Encoder, Layer};
use text::LanguageHead;
use toolkit_core::published::PublishedNames;
use toolkit_core::{
    Bridge, BridgeShape, KeysValues, Pair, ShapeError, TextTower, VisionShape, index, noise,
};

/// BERT's embeddings without token types. Queries pass through the normalisation alone.
#[derive(Module, Debug)]
struct Embeddings {
    word_embeddings: Embedding,
    position_embeddings: Embedding,
    layer_norm: LayerNorm,
    dropout: f64,
}

impl Embeddings {
    /// Embeds ids `[batch, text]`: `[batch, text, width]`. Positions count from 0, with queries
    /// before the text or not.
    fn text(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        let length = ids.dims()[1];
        let positions = self.position_embeddings.table().narrow(0, 0, length);
        let sum = self.word_embeddings.forward(ids) + positions.unsqueeze();
        noise::dropout(self.layer_norm.forward(sum), self.dropout)
    }

    /// Normalises the learned queries `[1, queries, width]` and repeats them: `[batch, queries,
    /// width]`.
    fn queries(&self, tokens: Tensor<3>, batch: usize) -> Tensor<3> {
        let [_, queries, width] = tokens.dims();
        noise::dropout(
            self.layer_norm.forward(tokens).expand([batch, queries, width]),
            self.dropout,
        )
    }

    /// Returns `true` if equal samples become different here, because each has dropout of its own.
    fn drops(&self) -> bool {
        self.dropout > 0.0 && noise::is_on()
    }
}

/// Learned queries that read a frozen encoder's features, and a text transformer that shares their
/// self-attention.
#[derive(Module, Debug)]
pub struct QFormer {
    query_tokens: Param<Tensor<3>>,
    ln_vision: LayerNorm,
    embeddings: Embeddings,
    encoder: Encoder,
    cls: LanguageHead,
    vision_proj: Linear,
    text_proj: Linear,
    itm_head: Linear,
    temp: Param<Tensor<1>>,
}

impl QFormer {
    /// Returns the cross-attention probabilities of the queries over features `[batch, tokens,
    /// vision width]`, as the encoder returns these.
    ///
    /// For each layer with cross-attention there is a tensor `[batch, heads, queries, tokens]`,
    /// which sums to 1 over tokens. It is for figures; training never computes it.
    #[must_use]
    pub fn cross_attention(&self, features: Tensor<3>) -> Vec<Tensor<4>> {
        let cross = self.encoder.cross(&self.normalise(features.clone()));
        let (mut pairs, mut all) = (cross.iter(), Vec::new());
        self.queries_over(&cross, |i, _, rows| {
            if let Some(block) = &self.encoder.layer[i].crossattention {
                all.extend(
                    pairs.next().map(|(keys, _)| block.probabilities(rows.clone(), keys.clone())),
                );
            }
        });
        all
    }

    /// Runs the queries over images' keys and values. `observe` receives each layer's number, its
    /// self-attention keys and values, and the rows behind self-attention.
    fn queries_over(
        &self,
        cross: &[KeysValues],
        mut observe: impl FnMut(usize, &KeysValues, &Tensor<3>),
    ) -> Tensor<3> {
        // Layer 0 attends to the image for any frequency; until then queries are the same for
        // all images.
        let batch = cross[0].0.dims()[0];
        let until_image = if self.embeddings.drops() { batch } else { 1 };
        let mut x = self.embeddings.queries(self.query_tokens.val(), until_image);
        for (i, _, layer, cross) in self.encoder.with_cross(cross) {
            let mut own = layer.attention.keys_values(x.clone());
            let mut rows = layer.attention.forward(x, own.clone(), None);
            if i == 0 {
                own = (
                    own.0.expand([batch as i32, -1, -1, -1]),
                    own.1.expand([batch as i32, -1, -1, -1]),
                );
                rows = rows.expand([batch as i32, -1, -1]);
            }
            observe(i, &own, &rows);
            x = layer.query_rows(rows, cross, None);
        }
        x
    }

    /// Normalises image features `[batch, tokens, vision width]` with `ln_vision`, as the
    /// cross-attention reads them.
    ///
    /// In transformers this is the encoder's `post_layernorm`, and its result the encoder's
    /// `last_hidden_state`.
    #[must_use]
    pub fn normalise(&self, features: Tensor<3>) -> Tensor<3> {
        self.ln_vision.forward(features)
    }

    /// Returns [`TextTower::keys_values`] of features that [`QFormer::normalise`] has normalised.
    /// Test vectors of the reference start there.
    #[doc(hidden)]
    #[must_use]
    pub fn keys_values_normalised(&self, features: &Tensor<3>) -> Vec<KeysValues> {
        self.encoder.cross(features)
    }

    /// Runs queries and text, `ids [texts, text]`, together for all `pairs`, under an additive
    /// `bias` `[texts, 1 or heads, 1 or queries + text, queries + text]`.
    ///
    /// Returns the outputs of the queries `[pairs, queries, width]` and, `with_text`, of the text
    /// `[pairs, text, width]`. Without it, the last layer leaves out what only the text's output
    /// needs, and `bias` must have one row.
    #[doc(hidden)]
    #[must_use]
    pub fn joint_states(
        &self,
        cross: &[KeysValues],
        pairs: &[Pair],
        ids: Tensor<2, Int>,
        bias: &Tensor<4>,
        with_text: bool,
    ) -> (Tensor<3>, Option<Tensor<3>>) {
        let images: Vec<usize> = pairs.iter().map(|pair| pair.image).collect();
        let texts: Vec<usize> = pairs.iter().map(|pair| pair.text).collect();
        let (mut ids, mut bias) = (ids, bias.clone());
        // Until queries read their image in layer 0, a text is the same in all its pairs.
        let shared = !self.embeddings.drops();
        let of_pairs = index(&texts, &ids.device());
        if !shared {
            (ids, bias) = (ids.select(0, of_pairs.clone()), bias.select(0, of_pairs.clone()));
        }
        let [batch, length] = ids.dims();
        let mut queries = self.embeddings.queries(self.query_tokens.val(), batch);
        let mut text = self.embeddings.text(ids);
        let count = queries.dims()[1];
        for (i, last, layer, cross) in self.encoder.with_cross(cross) {
            let paired = |x: Tensor<3>| if i == 0 && shared { repeated(x, &texts) } else { x };
            let joint = Tensor::cat(vec![queries.clone(), text.clone()], 1);
            let own = layer.attention.keys_values(joint.clone());
            if last && !with_text {
                let attended = paired(layer.attention.forward(queries, own, Some(bias)));
                return (layer.query_rows(attended, cross, Some(&images)), None);
            }
            let attended = layer.attention.forward(joint, own, Some(bias.clone()));
            queries = layer.query_rows(
                paired(attended.clone().narrow(1, 0, count)),
                cross,
                Some(&images),
            );
            text = paired(layer.text_rows(attended.narrow(1, count, length)));
            if i == 0 && shared {
                bias = bias.select(0, of_pairs.clone());
            }
        }
        (queries, Some(text))
    }
}

/// Returns samples `which` of `x [samples, tokens, width]`, some of them several times. Gradients
/// are summed by sample.
fn repeated(x: Tensor<3>, which: &[usize]) -> Tensor<3> {
    let ([samples, tokens, width], device) = (x.dims(), x.device());
    if which.iter().copied().eq(0..samples) {
        return x;
    }
    let table = x.reshape([samples, tokens * width]);
    toolkit_kernels::embedding(table, index(which, &device).unsqueeze()).reshape([
        which.len(),
        tokens,
        width,
    ])
}

impl Bridge for QFormer {
    type Config = QFormerConfig;

    fn describe(config: &QFormerConfig, vision: &VisionShape) -> Result<BridgeShape, ShapeError> {
        config.check(vision)?;
        Ok(config.shape(vision))
    }

    fn build(config: &QFormerConfig, vision: &VisionShape, device: &Device) -> Self {
        let width = config.hidden_size;
        let temperature = config.temperature;
        let temp = move |device: &Device, grad: bool| {
            Tensor::full([1], temperature, device).set_require_grad(grad)
        };
        Self {
            query_tokens: parameter([1, config.num_query_tokens, width], device),
            ln_vision: LayerNorm::new(vision.width, config.vision_layer_norm_eps, device),
            embeddings: Embeddings {
                word_embeddings: Embedding::new(config.vocab_size, width, device),
                position_embeddings: Embedding::new(config.max_position_embeddings, width, device),
                layer_norm: LayerNorm::new(width, config.layer_norm_eps, device),
                dropout: config.dropout,
            },
            encoder: Encoder {
                layer: (0..config.num_hidden_layers)
                    .map(|i| Layer::new(i, config, vision.width, device))
                    .collect(),
            },
            cls: LanguageHead::new(config, device),
            vision_proj: Linear::new(width, config.image_text_hidden_size, device),
            text_proj: Linear::new(width, config.image_text_hidden_size, device),
            itm_head: Linear::new(width, 2, device),
            temp: Param::uninitialized(ParamId::new(), temp, device.clone(), true, Shape::new([1])),
        }
    }

    fn queries(&self, features: Tensor<3>) -> Tensor<3> {
        self.queries_over(&self.encoder.cross_normalised(features, &self.ln_vision), |_, _, _| {})
    }

    fn text_tower(&self) -> Option<&dyn TextTower> {
        Some(self)
    }

    fn published() -> PublishedNames {
        PublishedNames::bridge()
            .hugging_face(names::hugging_face)
            .lavis(names::lavis)
            .optional(names::optional_group)
    }
}
