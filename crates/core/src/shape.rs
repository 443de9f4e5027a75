//! The sizes and costs of a part, known from its configuration before a tensor exists.
//!
//! `describe` of [`crate::VisionEncoder`], [`crate::Bridge`] and [`crate::LanguageModel`] returns
//! them. The registry checks that the sizes of neighbouring parts fit; `toolkit plan` adds up
//! costs.

use crate::{Count, ShapeError};

/// The cost of a part.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Number of parameters. [`crate::conform`] checks that the built module has exactly as many.
    pub params: u64,
    /// Floating-point operations of one forward pass for one sample; a multiply and an add are two.
    /// Language models: for one token, without attention over other tokens.
    pub flops: u64,
    /// Numbers in memory for one sample, for estimates; 0 if unknown.
    ///
    /// Bridges: the activations that the backward pass needs. Language models: the same for one
    /// token, with frozen parameters. Encoders, which have no backward pass: the largest number of
    /// activations at one time.
    pub activations: u64,
}

/// Largest number of parameters that is not taken for a mistake: a hundred times the largest model
/// there is.
const MOST_PARAMS: u64 = 1 << 48;

impl Cost {
    /// Creates a cost from counts that may have stopped at the top.
    #[must_use]
    pub fn new(params: Count, flops: Count, activations: Count) -> Self {
        Self { params: params.get(), flops: flops.get(), activations: activations.get() }
    }

    /// Refuses a cost that no machine can pay. The sum of a few costs that pass does not overflow.
    ///
    /// # Errors
    /// If sizes multiply to more than any model has.
    pub fn check(&self) -> Result<(), ShapeError> {
        if self.params <= MOST_PARAMS && self.flops.max(self.activations) <= u64::MAX / 64 {
            return Ok(());
        }
        let what = "the sizes multiply to more parameters or operations than any model has";
        Err(ShapeError::new(what, "correct the largest sizes"))
    }
}

/// The shape of a vision encoder's features.
#[derive(Clone, Debug, PartialEq)]
pub struct VisionShape {
    /// Height and width in pixels of the images that [`crate::VisionEncoder::encode`] takes.
    pub image: [usize; 2],
    /// Tokens of one image, class token included.
    pub tokens: usize,
    /// Width of a token.
    pub width: usize,
    /// Cost of one image.
    pub cost: Cost,
}

/// The shape of a bridge's output.
#[derive(Clone, Debug, PartialEq)]
pub struct BridgeShape {
    /// Number of output vectors of one image: the length of the language model's soft prefix.
    pub queries: usize,
    /// Width of an output vector.
    pub width: usize,
    /// Sizes of the text tower, if there is one. Stage 1 needs a text tower.
    pub text: Option<TextShape>,
    /// Cost of one image on the query path; `params` counts all parameters, text tower included.
    pub cost: Cost,
}

/// The sizes of a text tower.
#[derive(Clone, Debug, PartialEq)]
pub struct TextShape {
    /// Rows of the word-embedding table; every token id is below.
    pub vocab: usize,
    /// Longest text in tokens.
    pub positions: usize,
    /// Width of the shared image-text space of the contrastive loss.
    pub embed: usize,
    /// Activations that the backward pass needs for one token of a query or a text:
    /// [`Cost::activations`] without those of the image.
    pub activations: u64,
}

/// The kind of a language model; stage 2 and generation differ by it (BLIP-2, section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LanguageKind {
    /// The soft prefix stands before the text (OPT, Llama).
    DecoderOnly,
    /// The soft prefix stands before the encoder's text; the decoder writes (T5).
    EncoderDecoder,
}

/// The sizes of a language model.
#[derive(Clone, Debug, PartialEq)]
pub struct LanguageShape {
    /// Decoder-only or encoder-decoder.
    pub kind: LanguageKind,
    /// Width of the embedding space in which the soft prefix lives (OPT-350m: 512, not its hidden
    /// size).
    pub width: usize,
    /// Number of logits.
    pub vocab: usize,
    /// Longest sequence, if there is a limit.
    pub positions: Option<usize>,
    /// Number of [`crate::recompute::block`]s that a token passes; 0 if activations cannot be
    /// computed again.
    pub blocks: usize,
    /// Activations of one encoder token that stay in memory even if the decoder's blocks are
    /// computed again: the cross-attention keys and values
    /// ([`crate::recompute::block_with_inputs`]) and their gradients. 0 without an encoder.
    pub cross_activations: u64,
    /// Cost of one token.
    pub cost: Cost,
}
