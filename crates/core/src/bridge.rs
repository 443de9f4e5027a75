//! The bridge: image features to a fixed number of vectors for the language model.

use crate::published::PublishedNames;
use crate::slot::{Erased, Holder, Slot};
use crate::{BridgeShape, ShapeError, VisionShape};
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use serde::de::DeserializeOwned;

/// The trainable part between a frozen encoder and a frozen language model: Q-Former, resampler,
/// MLP, linear layer.
pub trait Bridge: Module + 'static {
    /// What `[config]` in a card of this family parses to. Use `#[serde(deny_unknown_fields)]`.
    type Config: DeserializeOwned;

    /// Sizes and costs for features of this encoder, without making a tensor.
    ///
    /// # Errors
    /// If the configuration contradicts itself or the encoder.
    fn describe(config: &Self::Config, vision: &VisionShape) -> Result<BridgeShape, ShapeError>;

    /// The module, with parameters not yet drawn.
    fn build(config: &Self::Config, vision: &VisionShape, device: &Device) -> Self;

    /// Features `[batch, tokens, vision width]` to `[batch, queries, width]`.
    fn queries(&self, features: Tensor<3>) -> Tensor<3>;

    /// The text side, for bridges that can do stage 1.
    fn text_tower(&self) -> Option<&dyn TextTower> {
        None
    }

    /// Returns the names that files of this family are published with.
    #[must_use]
    fn published() -> PublishedNames {
        PublishedNames::bridge()
    }
}

/// Keys and values, each `[batch, heads, tokens, head width]`.
pub type KeysValues = (Tensor<4>, Tensor<4>);

/// A text with an image, for the matching pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Row of the ids.
    pub text: usize,
    /// Row of [`ImagePass::cross`].
    pub image: usize,
}

impl Pair {
    /// Text i with image i.
    #[must_use]
    pub fn own(count: usize) -> Vec<Self> {
        (0..count).map(|i| Self { text: i, image: i }).collect()
    }

    /// Texts, each once, and pairs that have their rows, from (text, image) in which equal texts
    /// stand together.
    #[must_use]
    pub fn by_text(all: impl IntoIterator<Item = (usize, usize)>) -> (Vec<usize>, Vec<Self>) {
        let (mut texts, mut pairs) = (Vec::new(), Vec::new());
        for (text, image) in all {
            if texts.last() != Some(&text) {
                texts.push(text);
            }
            pairs.push(Self { text: texts.len() - 1, image });
        }
        (texts, pairs)
    }
}

/// What the query-only pass leaves behind for the other passes of stage 1.
#[derive(Clone, Debug)]
pub struct ImagePass {
    /// Output of the queries, `[batch, queries, width]`.
    pub queries: Tensor<3>,
    /// Keys and values of the image features, one pair for each layer with cross-attention, each
    /// `[batch, heads, image tokens, head width]`. Projected once per image and shared by all
    /// passes; hard negatives gather rows.
    pub cross: Vec<KeysValues>,
    /// Self-attention keys and values of the queries, one pair per layer: what the captioning pass
    /// attends to (BLIP-2, section 3.1; the reference reuses this cache too).
    pub cache: Vec<KeysValues>,
}

/// The text side of a Q-Former-like bridge: what the three losses of stage 1 are made of (BLIP-2,
/// section 3.1).
///
/// `ids` are `[batch, text]` token ids padded on the right, `mask` is `[batch, text]` with 1 for
/// real tokens.
pub trait TextTower {
    /// Number of learned queries, which stand before each text in the joint passes.
    fn num_query_tokens(&self) -> usize;
    /// Keys and values of features `[batch, tokens, vision width]` as encoders give them:
    /// [`ImagePass::cross`].
    fn keys_values(&self, features: Tensor<3>) -> Vec<KeysValues>;
    /// The query-only pass over the images of `cross`.
    fn query_pass(&self, cross: Vec<KeysValues>) -> ImagePass;
    /// Both: the query-only pass over features `[batch, tokens, vision width]`.
    fn image_pass(&self, features: Tensor<3>) -> ImagePass {
        self.query_pass(self.keys_values(features))
    }
    /// Query outputs to the shared space, l2-normalised: `[batch, queries, embed]`.
    fn image_embeds(&self, queries: Tensor<3>) -> Tensor<3>;
    /// The text-only pass; the first token's output in the shared space, l2-normalised: `[batch,
    /// embed]`.
    fn text_embeds(&self, ids: Tensor<2, Int>, mask: Tensor<2>) -> Tensor<2>;
    /// The bi-directional pass of queries and text; logits averaged over queries, `[pairs, 2]`,
    /// index 1 is "match". `cross` is [`ImagePass::cross`], `ids [texts, text]`. A hard negative is
    /// a pair of numbers, not a copy, and what depends on the text alone need be done only once for
    /// all pairs it is in.
    fn match_logits(
        &self,
        cross: &[KeysValues],
        pairs: &[Pair],
        ids: Tensor<2, Int>,
        mask: Tensor<2>,
    ) -> Tensor<2>;
    /// The multi-modal causal pass over text, on the query pass's cache: next-token logits `[batch,
    /// text, vocab]`.
    fn caption_logits(
        &self,
        cache: &[KeysValues],
        ids: Tensor<2, Int>,
        mask: Tensor<2>,
    ) -> Tensor<3>;
    /// The text-only bi-directional pass through the language-model head: `[batch, text, vocab]`.
    /// This is BERT.
    fn masked_logits(&self, ids: Tensor<2, Int>, mask: Tensor<2>) -> Tensor<3>;
    /// The learned temperature `[1]` that similarities are divided by.
    fn temperature(&self) -> Tensor<1>;
}

/// Returns the similarity of each image with each text: the largest over the image's queries.
///
/// `image` are [`TextTower::image_embeds`] `[images, queries, embed]`, `text` are
/// [`TextTower::text_embeds`] `[texts, embed]`; the result is `[images, texts]`.
#[must_use]
pub fn similarity(image: Tensor<3>, text: Tensor<2>) -> Tensor<2> {
    let ([images, queries, width], [texts, _]) = (image.dims(), text.dims());
    let all = image.reshape([images * queries, width]).matmul(text.transpose());
    all.reshape([images, queries, texts]).max_dim(1).reshape([images, texts])
}

/// Object-safe form of [`Bridge`]; implemented for every one of them.
pub trait DynBridge: Erased {
    /// See [`Bridge::queries`].
    fn queries(&self, features: Tensor<3>) -> Tensor<3>;
    /// See [`Bridge::text_tower`].
    fn text_tower(&self) -> Option<&dyn TextTower>;
    /// A copy of the handles (tensors are shared).
    fn boxed(&self) -> Box<dyn DynBridge>;
}

impl<M: Bridge> DynBridge for Holder<M> {
    fn queries(&self, features: Tensor<3>) -> Tensor<3> {
        self.get().queries(features)
    }
    fn text_tower(&self) -> Option<&dyn TextTower> {
        self.get().text_tower()
    }
    fn boxed(&self) -> Box<dyn DynBridge> {
        Box::new(self.clone())
    }
}

impl Clone for Box<dyn DynBridge> {
    fn clone(&self) -> Self {
        (**self).boxed()
    }
}

/// Any bridge, as a burn module.
pub type AnyBridge = Slot<dyn DynBridge>;

impl AnyBridge {
    /// Erases `bridge`.
    pub fn new(bridge: impl Bridge) -> Self {
        Self::from_box(Box::new(Holder::new(bridge)))
    }
}
