//! The language model: decoder-only (OPT) or encoder-decoder (T5), behind one form.

use crate::slot::{Cell, Erased, Slot};
use crate::{LanguageShape, ShapeError};
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use serde::de::DeserializeOwned;

/// Which of the two kinds a language model is; stage 2 and generation differ by it (BLIP-2, section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LanguageKind {
    /// The soft prefix stands before the text (OPT, Llama).
    DecoderOnly,
    /// The soft prefix stands before the encoder's text; the decoder writes (T5).
    EncoderDecoder,
}

/// Keys and values seen so far, one pair per layer, each `[batch, heads, past, head width]`.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    /// Empty before the first call.
    pub layers: Vec<(Tensor<4>, Tensor<4>)>,
}

impl Cache {
    /// Number of positions held.
    #[must_use]
    pub fn past(&self) -> usize {
        self.layers.first().map_or(0, |(keys, _)| keys.dims()[2])
    }

    /// Rows `rows [n]` of every tensor: which beams go on, or which images a batch is about.
    #[must_use]
    pub fn select(&self, rows: &Tensor<1, Int>) -> Self {
        let layers = self.layers.iter();
        Self {
            layers: layers
                .map(|(k, v)| (k.clone().select(0, rows.clone()), v.clone().select(0, rows.clone())))
                .collect(),
        }
    }

    /// Appends new keys and values of layer `layer` and returns all of them. Layers come in order.
    pub fn extend(&mut self, layer: usize, keys: Tensor<4>, values: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
        if layer == self.layers.len() {
            self.layers.push((keys, values));
        } else {
            let (k, v) = &mut self.layers[layer];
            *k = Tensor::cat(vec![k.clone(), keys], 2);
            *v = Tensor::cat(vec![v.clone(), values], 2);
        }
        self.layers[layer].clone()
    }
}

/// What an encoder-decoder's encoder leaves for its decoder.
#[derive(Clone, Debug)]
pub struct Memory {
    /// Cross-attention keys and values of the encoder output, one pair per decoder layer,
    /// each `[batch, heads, tokens, head width]`: computed once, whatever is generated.
    pub cross: Vec<(Tensor<4>, Tensor<4>)>,
    /// Which encoder positions are real, `[batch, tokens]`.
    pub mask: Tensor<2>,
}

impl Memory {
    /// Rows `rows [n]` of every tensor.
    #[must_use]
    pub fn select(&self, rows: &Tensor<1, Int>) -> Self {
        let cross = Cache { layers: self.cross.clone() }.select(rows).layers;
        Self { cross, mask: self.mask.clone().select(0, rows.clone()) }
    }
}

/// A frozen language model that reads embeddings, so that a soft prefix can stand among them.
pub trait LanguageModel: Module + 'static {
    /// What `[config]` in a card of this family parses to. Use `#[serde(deny_unknown_fields)]`.
    type Config: DeserializeOwned;

    /// Sizes and costs, without making a tensor.
    ///
    /// # Errors
    /// If the configuration contradicts itself.
    fn describe(config: &Self::Config) -> Result<LanguageShape, ShapeError>;

    /// The module, with parameters not yet drawn.
    fn build(config: &Self::Config, device: &Device) -> Self;

    /// Token ids `[batch, tokens]` to embeddings `[batch, tokens, width]`, before positions are added.
    fn embed(&self, ids: Tensor<2, Int>) -> Tensor<3>;

    /// Encoder-decoder only: embeddings `[batch, tokens, width]` with their mask `[batch, tokens]` to what the decoder
    /// attends to.
    fn encode(&self, embeds: Tensor<3>, mask: Tensor<2>) -> Memory {
        let _ = (embeds, mask);
        unreachable!("`encode` is for encoder-decoder models: check `LanguageShape::kind` first")
    }

    /// New embeddings `[batch, tokens, width]` to hidden states `[batch, tokens, hidden]`, each position seeing itself and what
    /// stands before it. `mask [batch, past + tokens]` covers the cache too; hidden positions (padding) may stand
    /// anywhere and change nothing for the others. With a cache, keys and values are appended to it.
    /// Decoder-only: `memory` is `None`. Encoder-decoder: embeddings are the decoder's, `memory` is the encoder's.
    fn decode(
        &self,
        embeds: Tensor<3>,
        mask: Tensor<2>,
        memory: Option<&Memory>,
        cache: Option<&mut Cache>,
    ) -> Tensor<3>;

    /// Hidden states `[batch, tokens, hidden]` to logits `[batch, tokens, vocab]`. Apart from `decode` so that callers
    /// pay only for positions that are scored.
    fn logits(&self, hidden: Tensor<3>) -> Tensor<3>;
}

/// Object-safe form of [`LanguageModel`]; implemented for every one of them.
#[expect(missing_docs, reason = "each method is documented on `LanguageModel`")]
pub trait DynLanguage: Erased {
    fn embed(&self, ids: Tensor<2, Int>) -> Tensor<3>;
    fn encode(&self, embeds: Tensor<3>, mask: Tensor<2>) -> Memory;
    fn decode(
        &self,
        embeds: Tensor<3>,
        mask: Tensor<2>,
        memory: Option<&Memory>,
        cache: Option<&mut Cache>,
    ) -> Tensor<3>;
    fn logits(&self, hidden: Tensor<3>) -> Tensor<3>;
    fn boxed(&self) -> Box<dyn DynLanguage>;
}

impl<M: LanguageModel> DynLanguage for Cell<M> {
    fn embed(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        self.get().embed(ids)
    }
    fn encode(&self, embeds: Tensor<3>, mask: Tensor<2>) -> Memory {
        self.get().encode(embeds, mask)
    }
    fn decode(
        &self,
        embeds: Tensor<3>,
        mask: Tensor<2>,
        memory: Option<&Memory>,
        cache: Option<&mut Cache>,
    ) -> Tensor<3> {
        self.get().decode(embeds, mask, memory, cache)
    }
    fn logits(&self, hidden: Tensor<3>) -> Tensor<3> {
        self.get().logits(hidden)
    }
    fn boxed(&self) -> Box<dyn DynLanguage> {
        Box::new(self.clone())
    }
}

impl Clone for Box<dyn DynLanguage> {
    fn clone(&self) -> Self {
        (**self).boxed()
    }
}

/// Any language model, as a burn module.
pub type AnyLanguage = Slot<dyn DynLanguage>;

impl AnyLanguage {
    /// Erases `model`.
    pub fn new(model: impl LanguageModel) -> Self {
        Self::from_box(Box::new(Cell::new(model)))
    }
}
