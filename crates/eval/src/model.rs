//! The parts of a model as tasks use them.

use crate::EvalError;
use burn::tensor::Tensor;
use toolkit_core::{TextSpecialTokens, TextTower};
use toolkit_tokenizer::TextTokenizer;
use toolkit_vlm::Generator;

/// Parts of a model that a kind of task needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// A language model behind the bridge: it generates text.
    Language,
    /// The bridge's text tower: it compares pictures with texts.
    TextTower,
}

/// Source of the features `[items, tokens, width]` of a data set's pictures: a cache, or the
/// encoder. They are on a plain device, one row an item, in the order given.
pub type FeatureSource<'a> = dyn Fn(&[usize]) -> Result<Tensor<3>, EvalError> + 'a;

/// Bridge and projection: features `[items, tokens, width]` to soft prefixes
/// `[items, queries, embedding width]`.
pub type Connect<'a> = dyn Fn(Tensor<3>) -> Result<Tensor<3>, EvalError> + 'a;

/// Parts of a model that tasks use. A kind of task says by [`Needs`](crate::Needs) which.
#[derive(Clone, Copy)]
pub struct ModelParts<'a> {
    /// Source of features.
    pub features: &'a FeatureSource<'a>,
    /// Parts that generate text behind a picture.
    pub language: Option<LanguageParts<'a>>,
    /// Parts that compare pictures with texts.
    pub text: Option<TextParts<'a>>,
}

/// Parts that generate text behind a picture.
#[derive(Clone, Copy)]
pub struct LanguageParts<'a> {
    /// Bridge and projection.
    pub connect: &'a Connect<'a>,
    /// Language model.
    pub generator: Generator<'a>,
}

/// Parts that compare pictures with texts: the bridge's text side.
#[derive(Clone, Copy)]
pub struct TextParts<'a> {
    /// Text tower.
    pub tower: &'a dyn TextTower,
    /// Tokenizer of the text side.
    pub tokenizer: &'a TextTokenizer,
    /// Special ids of that tokenizer.
    pub special_tokens: TextSpecialTokens,
    /// Longest text in tokens; `usize::MAX` for no limit.
    pub positions: usize,
    /// `true` if the contrastive loss was trained, so that similarities rank.
    pub contrast: bool,
}
