//! The language model: decoder-only (OPT) or encoder-decoder (T5), behind one trait.

use crate::published::PublishedNames;
use crate::slot::{Erased, Holder, Slot};
use crate::{Cache, EncoderOutput, LanguageShape, ShapeError};
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use serde::de::DeserializeOwned;

/// A frozen language model that reads embeddings, so that a soft prefix can stand among them.
///
/// Check an implementation with [`crate::conform::language`].
pub trait LanguageModel: Module + 'static {
    /// Type of `[config]` in a card of this family. Use `#[serde(deny_unknown_fields)]`.
    type Config: DeserializeOwned;

    /// Returns sizes and costs, without making a tensor.
    ///
    /// # Errors
    /// If the configuration contradicts itself.
    fn describe(config: &Self::Config) -> Result<LanguageShape, ShapeError>;

    /// Builds the module with parameters that are not drawn yet: the caller initialises or loads
    /// them.
    fn build(config: &Self::Config, device: &Device) -> Self;

    /// Looks up token ids `[batch, tokens]`: embeddings `[batch, tokens, width]`, before positions
    /// are added.
    fn embed(&self, ids: Tensor<2, Int>) -> Tensor<3>;

    /// Runs the encoder of an encoder-decoder model over embeddings `[batch, tokens, width]` with
    /// their mask `[batch, tokens]`.
    ///
    /// # Panics
    /// If the model is decoder-only: check [`LanguageShape::kind`] first.
    fn encode(&self, embeds: Tensor<3>, mask: Tensor<2>) -> EncoderOutput {
        let _ = (embeds, mask);
        unreachable!("`encode` is for encoder-decoder models: check `LanguageShape::kind` first")
    }

    /// Runs the decoder over new embeddings `[batch, tokens, width]` and returns the hidden states
    /// of the last `outputs` tokens, `[batch, outputs, hidden]`.
    ///
    /// Each position sees itself and the earlier ones. `mask [batch, past + tokens]` covers the
    /// cache too. Hidden positions (padding) may stand anywhere and change nothing for the others.
    /// With a cache, new keys and values are appended to it ([`Cache::attend`]).
    ///
    /// Decoder-only: `memory` is `None`. Encoder-decoder: `embeds` are the decoder's, `memory` is
    /// the result of [`LanguageModel::encode`].
    ///
    /// A simple implementation computes all tokens and narrows the result. A fast one computes only
    /// keys and values of the other tokens in its last block.
    ///
    /// # Panics
    /// Unless `outputs` is at least 1 and at most the number of new tokens.
    fn decode_last(
        &self,
        embeds: Tensor<3>,
        mask: Tensor<2>,
        memory: Option<&EncoderOutput>,
        cache: Option<&mut Cache>,
        outputs: usize,
    ) -> Tensor<3>;

    /// Runs [`LanguageModel::decode_last`] for the hidden states of all new tokens, `[batch,
    /// tokens, hidden]`.
    fn decode(
        &self,
        embeds: Tensor<3>,
        mask: Tensor<2>,
        memory: Option<&EncoderOutput>,
        cache: Option<&mut Cache>,
    ) -> Tensor<3> {
        let tokens = embeds.dims()[1];
        self.decode_last(embeds, mask, memory, cache, tokens)
    }

    /// Maps hidden states `[batch, tokens, hidden]` to logits `[batch, tokens, vocab]`. It is not
    /// part of `decode`, so that callers pay only for positions that they score.
    fn logits(&self, hidden: Tensor<3>) -> Tensor<3>;

    /// Returns the names that files of this family are published with.
    #[must_use]
    fn published() -> PublishedNames {
        PublishedNames::language()
    }
}

/// The object-safe form of [`LanguageModel`], implemented for every one of them.
#[expect(missing_docs, reason = "each method is documented on `LanguageModel`")]
pub trait DynLanguage: Erased {
    fn embed(&self, ids: Tensor<2, Int>) -> Tensor<3>;
    fn encode(&self, embeds: Tensor<3>, mask: Tensor<2>) -> EncoderOutput;
    fn decode(
        &self,
        embeds: Tensor<3>,
        mask: Tensor<2>,
        memory: Option<&EncoderOutput>,
        cache: Option<&mut Cache>,
    ) -> Tensor<3> {
        let tokens = embeds.dims()[1];
        self.decode_last(embeds, mask, memory, cache, tokens)
    }
    fn decode_last(
        &self,
        embeds: Tensor<3>,
        mask: Tensor<2>,
        memory: Option<&EncoderOutput>,
        cache: Option<&mut Cache>,
        outputs: usize,
    ) -> Tensor<3>;
    fn logits(&self, hidden: Tensor<3>) -> Tensor<3>;
    fn boxed(&self) -> Box<dyn DynLanguage>;
}

impl<M: LanguageModel> DynLanguage for Holder<M> {
    fn embed(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        self.get().embed(ids)
    }
    fn encode(&self, embeds: Tensor<3>, mask: Tensor<2>) -> EncoderOutput {
        self.get().encode(embeds, mask)
    }
    fn decode_last(
        &self,
        embeds: Tensor<3>,
        mask: Tensor<2>,
        memory: Option<&EncoderOutput>,
        cache: Option<&mut Cache>,
        outputs: usize,
    ) -> Tensor<3> {
        self.get().decode_last(embeds, mask, memory, cache, outputs)
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
    /// Erases the type of `model`.
    pub fn new(model: impl LanguageModel) -> Self {
        Self::from_box(Box::new(Holder::new(model)))
    }
}
