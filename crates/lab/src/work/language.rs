//! Texts of the language model of a run.

use crate::LabError;
use crate::plan::model_plan::ModelPlan;
use toolkit_core::{AnyLanguage, LanguageShape, LanguageSpecialTokens};
use toolkit_vlm::{Generator, ModelTokenizer};

/// Tokenizer and special ids of the language model.
pub(crate) struct LanguageText {
    tokenizer: ModelTokenizer,
    shape: LanguageShape,
    special_tokens: LanguageSpecialTokens,
}

impl LanguageText {
    /// Reads the tokenizer of the language card.
    pub(crate) fn new(model_plan: &ModelPlan) -> Result<Self, LabError> {
        let (tokenizer, special_tokens) = model_plan.language_special_tokens()?;
        let shape = model_plan.language()?.shape.clone();
        Ok(Self { tokenizer: ModelTokenizer::from_card(tokenizer), shape, special_tokens })
    }

    /// Joins a language model with its tokenizer.
    pub(crate) fn generator<'a>(&'a self, language: &'a AnyLanguage) -> Generator<'a> {
        Generator {
            language,
            shape: &self.shape,
            special_tokens: self.special_tokens,
            tokenizer: Some(&self.tokenizer),
        }
    }
}
