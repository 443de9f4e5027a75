//! Text to token ids and back, with the special ids that the card names.

use crate::{Card, CardError};
use tokenizers::{AddedToken, Tokenizer};

/// A `tokenizer.json` with the special ids of its card. `encode` adds none of them: which ones stand where is the
/// business of whoever makes the batch. A special token that is spelt out in a text is still read as one, as everywhere.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the ids are documented on `TokenizerSection`")]
pub struct TextTokenizer {
    /// The tokenizer itself.
    pub inner: Tokenizer,
    pub bos: Option<u32>,
    pub eos: Option<u32>,
    pub pad: Option<u32>,
    pub unk: Option<u32>,
    pub cls: Option<u32>,
    pub sep: Option<u32>,
    pub mask: Option<u32>,
    pub dec: Option<u32>,
    pub decoder_start: Option<u32>,
}

impl TextTokenizer {
    /// Ids of `text`, no special tokens added.
    ///
    /// # Panics
    /// Not for a tokenizer from [`Card::tokenizer`], which has checked that unknown characters have a token.
    #[must_use]
    pub fn encode(&self, text: &str) -> Vec<u32> {
        self.inner
            .encode_fast(text, false)
            .expect("a tokenizer with an unknown token encodes any text")
            .get_ids()
            .to_vec()
    }

    /// Text of `ids`, special tokens left out; ids that the vocabulary lacks are skipped.
    ///
    /// # Panics
    /// If the decoder of a `tokenizer.json` refuses tokens of its own vocabulary.
    #[must_use]
    pub fn decode(&self, ids: &[u32]) -> String {
        self.inner.decode(ids, true).expect("a tokenizer decodes tokens of its own vocabulary")
    }

    /// The id of a token as written in the vocabulary.
    #[must_use]
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// One more than the largest id, which is what an embedding table must have rows for.
    #[must_use]
    pub fn vocab(&self) -> usize {
        self.inner.get_vocab(true).values().max().map_or(0, |id| *id as usize + 1)
    }
}

impl Card {
    /// The `tokenizer.json` that is embedded in the weights.
    fn embedded_tokenizer(&self) -> Result<String, CardError> {
        let wrong = |what: String| self.text().error_at("tokenizer.file", what, "name a `tokenizer.json`");
        let tensors = self.open_weights().map_err(|error| wrong(error.to_string()))?;
        let Some(metadata) = tensors.gguf() else {
            return Err(wrong(format!("{} is no GGUF file", tensors.path().display())));
        };
        metadata.tokenizer_json().map_err(|error| wrong(error.to_string()))
    }

    /// The tokenizer that `[tokenizer]` names.
    ///
    /// # Errors
    /// If there is none, its file is missing, changed or broken, or an id is not in its vocabulary.
    pub fn tokenizer(&self) -> Result<TextTokenizer, CardError> {
        let Some(section) = &self.tokenizer_section else {
            let what = format!("{} `{}` has no `[tokenizer]`", self.kind.noun(), self.name);
            return Err(self.text().error(0..0, what, "add `[tokenizer]` with `file = ..`"));
        };
        let bytes = match section.file.as_str() {
            "gguf" => std::borrow::Cow::Owned(self.embedded_tokenizer()?.into_bytes()),
            file => self.read_source("tokenizer.file", file, section.sha256.as_deref())?,
        };
        let mut inner = Tokenizer::from_bytes(&bytes).map_err(|error| {
            let what = format!("`{}` is not a tokenizer: {error}", self.origin.show(&section.file));
            self.text().error_at("tokenizer.file", what, "give a `tokenizer.json` of the Hugging Face format")
        })?;
        // A file may ask for either; both are decided by whoever makes the batch.
        inner.with_padding(None);
        let untruncated = inner.with_truncation(None).map(|_| ());
        untruncated.map_err(|error| {
            self.text().error_at("tokenizer.file", error.to_string(), "remove `truncation` from the file")
        })?;
        // A character that no vocabulary has: without an unknown token, the first odd caption would end a run.
        if let Err(error) = inner.encode_fast("\u{10FFFD}", false) {
            let what = format!("`{}` cannot encode every text: {error}", self.origin.show(&section.file));
            return Err(self.text().error_at("tokenizer.file", what, "add the unknown token to the file's vocabulary"));
        }
        // LAVIS adds `[DEC]` to BERT's vocabulary, as the next id.
        if section.dec.is_some_and(|dec| dec as usize == inner.get_vocab_size(true)) {
            inner.add_special_tokens([AddedToken::from("[DEC]", true)]).map_err(|error| {
                self.text().error_at("tokenizer.dec", error.to_string(), "give a file that has the token")
            })?;
        }
        for (key, id) in section.ids() {
            if let Some(id) = id.filter(|id| inner.id_to_token(*id).is_none()) {
                let what = format!("`{key}` = {id} is not an id of `{}`", self.origin.show(&section.file));
                return Err(self.text().error_at(
                    &format!("tokenizer.{key}"),
                    what,
                    "look up the id in the file's vocabulary",
                ));
            }
        }
        Ok(TextTokenizer {
            inner,
            bos: section.bos,
            eos: section.eos,
            pad: section.pad,
            unk: section.unk,
            cls: section.cls,
            sep: section.sep,
            mask: section.mask,
            dec: section.dec,
            decoder_start: section.decoder_start,
        })
    }
}
