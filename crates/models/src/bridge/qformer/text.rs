//! The text side: the passes and heads that stage 1 needs (BLIP-2, section 3.1; LAVIS
//! `blip2_qformer.py`).

use super::{QFormer, QFormerConfig};
use crate::layers::{LayerNorm, Linear, causal_mask, mask_bias, parameter};
use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor};
use toolkit_core::{ImagePass, KeysValues, Pair, TextTower};

/// BERT's masked-language-model head, up to the decoder, which is tied to the word embeddings.
#[derive(Module, Debug)]
pub(super) struct LanguageHead {
    transform: Transform,
    bias: Param<Tensor<1>>,
}

#[derive(Module, Debug)]
struct Transform {
    dense: Linear,
    layer_norm: LayerNorm,
}

impl LanguageHead {
    pub(super) fn new(config: &QFormerConfig, device: &Device) -> Self {
        let width = config.hidden_size;
        let layer_norm = LayerNorm::new(width, config.layer_norm_eps, device);
        let transform = Transform { dense: Linear::new(width, width, device), layer_norm };
        Self { transform, bias: parameter([config.vocab_size], device) }
    }

    /// Maps text states `[batch, text, width]` to logits `[batch, text, vocab]`, given the word
    /// table `[vocab, width]`.
    fn forward(&self, states: Tensor<3>, words: Tensor<2>) -> Tensor<3> {
        let [batch, length, width] = states.dims();
        let x = toolkit_kernels::gelu(self.transform.dense.forward(states));
        let x = self.transform.layer_norm.forward(x).reshape([batch * length, width]);
        let logits =
            toolkit_kernels::add_bias(toolkit_kernels::times_transposed(x, words), self.bias.val());
        logits.reshape([batch as i32, length as i32, -1])
    }
}

impl QFormer {
    /// Runs the text alone, or behind the queries of `cache`: `[batch, text, width]`.
    ///
    /// With `first_only`, only the first token's output is returned, and the last layer computes
    /// nothing else.
    fn text_pass(
        &self,
        ids: Tensor<2, Int>,
        bias: &Tensor<4>,
        cache: Option<&[KeysValues]>,
        first_only: bool,
    ) -> Tensor<3> {
        let mut x = self.embeddings.text(ids);
        for (i, last, layer, _) in self.encoder.with_cross(&[]) {
            let (mut keys, mut values) = layer.attention.keys_values(x.clone());
            if let Some((past_keys, past_values)) = cache.map(|cache| cache[i].clone()) {
                keys = Tensor::cat(vec![past_keys, keys], 2);
                values = Tensor::cat(vec![past_values, values], 2);
            }
            if last && first_only {
                x = x.narrow(1, 0, 1);
            }
            x = layer.text_rows(layer.attention.forward(x, (keys, values), Some(bias.clone())));
        }
        x
    }

    /// Runs the text alone with full attention: `[batch, text, width]`.
    #[must_use]
    pub fn text_states(&self, ids: Tensor<2, Int>, mask: Tensor<2>) -> Tensor<3> {
        self.text_pass(ids, &mask_bias(mask).unsqueeze_dims(&[1, 1]), None, false)
    }

    /// Runs queries and text together with full attention and returns the outputs of the queries,
    /// `[pairs, queries, width]`. `cross` is [`ImagePass::cross`].
    #[must_use]
    pub fn multimodal_states(
        &self,
        cross: &[KeysValues],
        pairs: &[Pair],
        ids: Tensor<2, Int>,
        mask: Tensor<2>,
    ) -> Tensor<3> {
        let bias = mask_bias(self.behind_queries(mask)).unsqueeze_dims(&[1, 1]);
        self.joint_states(cross, pairs, ids, &bias, false).0
    }

    /// Maps text states `[batch, text, width]` to logits `[batch, text, vocab]`.
    #[must_use]
    pub fn language_logits(&self, states: Tensor<3>) -> Tensor<3> {
        self.cls.forward(states, self.embeddings.word_embeddings.table())
    }

    /// Puts ones for the queries before a text mask `[batch, text]`.
    fn behind_queries(&self, mask: Tensor<2>) -> Tensor<2> {
        let ones = Tensor::ones([mask.dims()[0], self.num_query_tokens()], &mask.device());
        Tensor::cat(vec![ones, mask], 1)
    }
}

impl TextTower for QFormer {
    fn num_query_tokens(&self) -> usize {
        self.query_tokens.lazy_shape()[1]
    }

    fn keys_values(&self, features: Tensor<3>) -> Vec<KeysValues> {
        self.encoder.cross_normalised(features, &self.ln_vision)
    }

    fn query_pass(&self, cross: Vec<KeysValues>) -> ImagePass {
        let mut cache = Vec::new();
        let queries = self.queries_over(&cross, |_, pair, _| cache.push(pair.clone()));
        ImagePass { queries, cross, cache }
    }

    fn image_embeds(&self, queries: Tensor<3>) -> Tensor<3> {
        toolkit_kernels::l2_normalise(self.vision_proj.forward(queries))
    }

    fn text_embeds(&self, ids: Tensor<2, Int>, mask: Tensor<2>) -> Tensor<2> {
        let first = self.text_pass(ids, &mask_bias(mask).unsqueeze_dims(&[1, 1]), None, true);
        toolkit_kernels::l2_normalise(self.text_proj.forward(first.squeeze_dim::<2>(1)))
    }

    fn match_logits(
        &self,
        cross: &[KeysValues],
        pairs: &[Pair],
        ids: Tensor<2, Int>,
        mask: Tensor<2>,
    ) -> Tensor<2> {
        let states = self.multimodal_states(cross, pairs, ids, mask);
        // The head is linear, so the mean of its logits is its logits of the mean.
        self.itm_head.forward(states.mean_dim(1).squeeze_dim::<2>(1))
    }

    fn caption_logits(
        &self,
        cache: &[KeysValues],
        ids: Tensor<2, Int>,
        mask: Tensor<2>,
    ) -> Tensor<3> {
        let causal = causal_mask(self.num_query_tokens(), ids.dims()[1], &mask.device());
        let visible = self.behind_queries(mask).unsqueeze_dim::<3>(1) * causal.unsqueeze::<3>();
        let bias = mask_bias(visible).unsqueeze_dim::<4>(1);
        self.language_logits(self.text_pass(ids, &bias, Some(cache), false))
    }

    fn masked_logits(&self, ids: Tensor<2, Int>, mask: Tensor<2>) -> Tensor<3> {
        self.language_logits(self.text_states(ids, mask))
    }

    fn temperature(&self) -> Tensor<1> {
        self.temp.val()
    }
}
