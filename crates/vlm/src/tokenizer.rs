//! The tokenizer of a model: prompts, answers and sentences to token ids, and back.

use crate::VlmError;
use toolkit_core::{LanguageKind, LanguageSpecialTokens};
use toolkit_system::problem::Problem;
use toolkit_tokenizer::TextTokenizer;

/// Placeholder that newer processors of transformers put where the picture is.
const PLACEHOLDER: &str = "<image>";

/// A tokenizer with the rules by which its model's texts are framed.
#[derive(Clone, Debug)]
pub struct ModelTokenizer {
    /// Tokenizer, which adds no special tokens by itself.
    pub tokenizer: TextTokenizer,
    /// Origin of the rules.
    framing: Framing,
    /// Id that stands for a query in token ids, where the configuration names one. No text may have
    /// it.
    image_token: Option<u32>,
}

/// The rule by which special tokens are put around a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// By the post-processor of a published `tokenizer.json`.
    PostProcessor,
    /// By [`LanguageSpecialTokens`], for a published tokenizer without a post-processor.
    SpecialTokens,
    /// By [`LanguageSpecialTokens`], for the tokenizer of a card. No picture has a placeholder in
    /// its prompts.
    Card,
}

impl ModelTokenizer {
    /// Wraps the tokenizer of a published checkpoint.
    ///
    /// `image_token` is the id that stands for a query, where the configuration names one.
    #[must_use]
    pub fn published(tokenizer: TextTokenizer, framing: Framing, image_token: Option<u32>) -> Self {
        Self { tokenizer, framing, image_token }
    }

    /// Wraps the tokenizer of a card.
    #[must_use]
    pub fn from_card(tokenizer: TextTokenizer) -> Self {
        Self { tokenizer, framing: Framing::Card, image_token: None }
    }

    /// Encodes a prompt as the language model reads it, special tokens included.
    ///
    /// # Errors
    /// If it holds the placeholder of a picture, or a token that the language model has no row for.
    pub fn prompt(
        &self,
        text: &str,
        special_tokens: LanguageSpecialTokens,
        kind: LanguageKind,
    ) -> Result<Vec<u32>, VlmError> {
        let ids = match self.framing {
            Framing::PostProcessor => self.tokenizer.encode_with_special_tokens(text)?,
            Framing::SpecialTokens | Framing::Card => self.tokenizer.encode(text)?,
        };
        let spelt = self.framing != Framing::Card && text.contains(PLACEHOLDER);
        if spelt || self.image_token.is_some_and(|image| ids.contains(&image)) {
            return Err(self.holds_placeholder(text));
        }
        Ok(match (self.framing, kind) {
            (Framing::PostProcessor, _) => ids,
            (_, LanguageKind::EncoderDecoder) => {
                ids.into_iter().chain([special_tokens.eos.first()]).collect()
            }
            (_, LanguageKind::DecoderOnly) => special_tokens.bos.into_iter().chain(ids).collect(),
        })
    }

    /// Refuses a prompt that spells out the placeholder of a picture.
    ///
    /// [`ModelTokenizer::prompt`] does so for published models alone: texts of a data set that a
    /// run was trained on may have one.
    ///
    /// # Errors
    /// If it does.
    pub fn refuse_placeholder(&self, prompt: &str) -> Result<(), VlmError> {
        if prompt.contains(PLACEHOLDER) { Err(self.holds_placeholder(prompt)) } else { Ok(()) }
    }

    fn holds_placeholder(&self, prompt: &str) -> VlmError {
        let token = self.image_token.and_then(|id| self.tokenizer.token(id));
        let token = token
            .filter(|token| prompt.contains(token.as_str()))
            .unwrap_or_else(|| PLACEHOLDER.to_owned());
        Problem::new(format_args!("the prompt holds `{token}`, which stands for the picture"))
            .at(format_args!("prompt `{prompt}`"))
            .hint(format_args!(
                "leave `{token}` out: the picture is put before the prompt by the model itself"
            ))
            .into()
    }

    /// Encodes a candidate answer as the language model would write it behind `prompt`, without
    /// special tokens.
    ///
    /// A decoder-only model continues with a space, so prompt and candidate are encoded as one text
    /// and the prompt's ids are taken off.
    ///
    /// # Errors
    /// As [`ModelTokenizer::prompt`], and if the candidate is empty.
    pub fn candidate(
        &self,
        prompt: &str,
        candidate: &str,
        special_tokens: LanguageSpecialTokens,
        kind: LanguageKind,
    ) -> Result<Vec<u32>, VlmError> {
        let candidate = candidate.trim();
        if candidate.is_empty() {
            return Err(Problem::new("a candidate is empty")
                .at(format_args!("candidate `{candidate}`"))
                .hint("give it a text")
                .into());
        }
        if kind == LanguageKind::EncoderDecoder || prompt.is_empty() {
            return Ok(self.tokenizer.encode(candidate)?);
        }
        let prompt = prompt.trim_end();
        let before = self.prompt(prompt, special_tokens, kind)?;
        let whole = self.prompt(&format!("{prompt} {candidate}"), special_tokens, kind)?;
        match whole.strip_prefix(&before[..]) {
            Some(ids) => Ok(ids.to_vec()),
            // The vocabulary has a token across the border; the candidate stands alone then.
            None => Ok(self.tokenizer.encode(&format!(" {candidate}"))?),
        }
    }

    /// Encodes a text for the Q-Former: `[CLS] .. [SEP]`, cut to `most` tokens as LAVIS cuts.
    ///
    /// # Errors
    /// If it holds a token that the text side has no row for.
    pub fn sentence(&self, text: &str, most: usize) -> Result<Vec<u32>, VlmError> {
        let words = self.tokenizer.encode(text)?.into_iter().take(most.saturating_sub(2).max(1));
        let ids: Vec<u32> =
            self.tokenizer.cls.into_iter().chain(words).chain(self.tokenizer.sep).collect();
        self.tokenizer.check(&ids)?;
        Ok(ids)
    }

    /// Returns the padding of texts for the Q-Former; `default` where the vocabulary has none.
    ///
    /// # Errors
    /// If the text side has no row for it.
    pub fn padding(&self, default: u32) -> Result<u32, VlmError> {
        let pad = self.tokenizer.pad.unwrap_or(default);
        self.tokenizer.check(&[pad])?;
        Ok(pad)
    }

    /// Decodes generated ids, without white space around the text.
    ///
    /// # Errors
    /// If the decoder of the file refuses tokens of its own vocabulary.
    pub fn text(&self, ids: &[u32]) -> Result<String, VlmError> {
        Ok(self.tokenizer.decode(ids)?.trim().to_owned())
    }

    /// Names the special tokens that `texts` spell out, as [`TextTokenizer::special_tokens_in`].
    ///
    /// Texts with the placeholder of a picture are left out: they are refused.
    #[must_use]
    pub fn special_tokens_in<'a>(
        &self,
        texts: impl IntoIterator<Item = &'a str>,
    ) -> Option<String> {
        let image = self.image_token.and_then(|id| self.tokenizer.token(id));
        let refused = |text: &str| {
            text.contains(PLACEHOLDER)
                || image.as_ref().is_some_and(|token| text.contains(token.as_str()))
        };
        self.tokenizer.special_tokens_in(texts.into_iter().filter(|text| !refused(text)))
    }
}
