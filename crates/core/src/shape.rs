//! What parts say about themselves before a tensor exists: sizes that must fit, and costs for
//! `plan`.

use crate::{Count, LanguageKind};

/// What a part costs, from its configuration alone.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Number of parameters. `conform` checks that the built module has exactly as many.
    pub params: u64,
    /// Floating-point operations of one forward pass for one sample (a multiply and an add are
    /// two). Language models: for one token, attention over other tokens not counted.
    pub flops: u64,
    /// Numbers held for one sample, for estimates of memory; 0 if nobody counted. Bridges: what the
    /// backward pass needs. Language models: the same for one token, frozen. Encoders, which have
    /// no backward pass: the most that is held at once.
    pub activations: u64,
}

/// Parameters above which a configuration is taken for a mistake: a hundred times the largest model
/// there is.
const MOST_PARAMS: u64 = 1 << 48;

impl Cost {
    /// A cost from numbers that may have stopped at the top.
    #[must_use]
    pub fn new(params: Count, flops: Count, activations: Count) -> Self {
        Self { params: params.get(), flops: flops.get(), activations: activations.get() }
    }

    /// Refuses a cost that no machine can pay. Sums of a few that pass do not overflow.
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

/// What a vision encoder makes of one image.
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

/// What a bridge makes of image features.
#[derive(Clone, Debug, PartialEq)]
pub struct BridgeShape {
    /// Number of output vectors of one image: the length of the language model's soft prefix.
    pub queries: usize,
    /// Width of an output vector.
    pub width: usize,
    /// What its text tower expects, where it has one. Only such a bridge can do stage 1.
    pub text: Option<TextShape>,
    /// Cost of one image on the query path; `params` counts all parameters, text tower included.
    pub cost: Cost,
}

/// The text side of a bridge with a stage 1.
#[derive(Clone, Debug, PartialEq)]
pub struct TextShape {
    /// Rows of the word-embedding table; every token id is below.
    pub vocab: usize,
    /// Longest text in tokens.
    pub positions: usize,
    /// Width of the shared image-text space of the contrastive loss.
    pub embed: usize,
    /// Numbers that the backward pass needs of one token of a query or a text: [`Cost::kept`]
    /// without what is kept of the image.
    pub activations: u64,
}

/// What a language model expects and gives.
#[derive(Clone, Debug, PartialEq)]
pub struct LanguageShape {
    /// Decoder-only or encoder-decoder.
    pub kind: LanguageKind,
    /// Width of the embedding space in which the soft prefix lives (OPT-350m: 512, not its hidden
    /// size).
    pub width: usize,
    /// Number of logits.
    pub vocab: usize,
    /// Longest sequence, where there is a limit.
    pub positions: Option<usize>,
    /// How many [`crate::recompute::block`]s a token passes; 0 if activations cannot be made again.
    pub blocks: usize,
    /// Numbers of [`Cost::kept`] that an encoder's token leaves beside its decoder's blocks
    /// ([`crate::recompute::block_with_inputs`]) and that are held even if these are run again: keys and
    /// values with their gradients. 0 without an encoder.
    pub cross_activations: u64,
    /// Cost of one token.
    pub cost: Cost,
}

/// Why a configuration cannot be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeError {
    /// Which fields are wrong and how, in one line.
    pub what: String,
    /// What to try.
    pub hint: String,
}

impl ShapeError {
    /// An error with a hint.
    pub fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into() }
    }

    /// An error unless `whole` is a multiple of `part`; both are named as in the card.
    pub fn unless_divides(part: (&str, usize), whole: (&str, usize)) -> Result<(), Self> {
        if part.1 > 0 && whole.1 > 0 && whole.1.is_multiple_of(part.1) {
            return Ok(());
        }
        let what =
            format!("`{}` = {} is not a multiple of `{}` = {}", whole.0, whole.1, part.0, part.1);
        Err(Self::new(what, format!("choose `{}` as a positive divisor of `{}`", part.0, whole.0)))
    }
}

impl std::fmt::Display for ShapeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}; hint: {}", self.what, self.hint)
    }
}

impl std::error::Error for ShapeError {}
