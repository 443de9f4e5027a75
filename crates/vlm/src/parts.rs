//! The parts of a model.

use crate::{Generator, ModelTokenizer};
use burn::tensor::Tensor;
use toolkit_core::published::PublishedNames;
use toolkit_core::{
    AnyBridge, AnyLanguage, AnyVision, BridgeShape, LanguageShape, LanguageSpecialTokens,
    VisionShape,
};
use toolkit_models::bridge::qformer::QFormer;
use toolkit_models::layers::Linear;

/// The frozen image encoder.
pub struct VisionPart {
    /// Encoder, on a plain device unless it is trained too.
    pub model: AnyVision,
    /// Sizes and costs.
    pub shape: VisionShape,
    /// Names of its parameters in published checkpoints.
    pub names: PublishedNames,
}

/// The bridge between the frozen parts.
pub struct BridgePart {
    /// Bridge.
    pub model: AnyBridge,
    /// Sizes and costs. `text` is `None` where the checkpoint has no weights of the text side.
    pub shape: BridgeShape,
    /// `true` if the captioning head and the temperature of stage 1 are there.
    pub captioning: bool,
}

impl BridgePart {
    /// Returns the bridge as a Q-Former, `None` if it is another one.
    #[must_use]
    pub fn qformer(&self) -> Option<&QFormer> {
        self.model.downcast_ref()
    }
}

/// The frozen language model with the projection to it.
pub struct LanguagePart {
    /// Language model.
    pub model: AnyLanguage,
    /// Sizes and costs.
    pub shape: LanguageShape,
    /// Names of its parameters in published checkpoints.
    pub names: PublishedNames,
    /// Special ids.
    pub special_tokens: LanguageSpecialTokens,
    /// BLIP-2's `language_projection` (LAVIS: `opt_proj`, `t5_proj`).
    pub projection: Linear,
}

impl LanguagePart {
    /// Projects queries `[batch, queries, width]` to the soft prefix `[batch, queries, embedding
    /// width]`.
    ///
    /// Trap: transformers projects to the hidden size even where embeddings are narrower
    /// (OPT-350m). It then scatters the numbers over the prefix one after another, across queries
    /// and samples, and drops the rest. Checkpoints trained so are only right if that is done here
    /// too. Our own models project to the embedding width, where nothing is dropped.
    #[must_use]
    pub fn prefix(&self, queries: Tensor<3>) -> Tensor<3> {
        let projected = self.projection.forward(queries);
        let [batch, tokens, width] = projected.dims();
        if width <= self.shape.width {
            return projected;
        }
        let used = batch * tokens * self.shape.width;
        projected.reshape([batch * tokens * width]).narrow(0, 0, used).reshape([
            batch,
            tokens,
            self.shape.width,
        ])
    }

    /// Returns the language model with what it needs to generate text.
    #[must_use]
    pub fn generator<'a>(&'a self, tokenizer: Option<&'a ModelTokenizer>) -> Generator<'a> {
        Generator {
            language: &self.model,
            shape: &self.shape,
            special_tokens: self.special_tokens,
            tokenizer,
        }
    }
}
