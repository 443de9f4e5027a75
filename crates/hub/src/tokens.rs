//! The tokenizer of a checkpoint's folder.

use crate::HubError;
use std::path::Path;
use tokenizers::Tokenizer;
use toolkit_registry::TextTokenizer;
use toolkit_train::stage2::LanguageMarks;

/// A tokenizer with how its prompts are made.
#[derive(Clone, Debug)]
pub struct Words {
    /// The tokenizer.
    pub tokenizer: TextTokenizer,
    /// Whether special tokens are put where the file's post-processor says; otherwise by [`LanguageMarks`].
    pub by_file: bool,
}

impl Words {
    /// `tokenizer.json` of a folder, if there is one.
    ///
    /// # Errors
    /// If it is broken, or cannot encode every text.
    pub fn read(folder: &Path, marks: LanguageMarks) -> Result<Option<Self>, HubError> {
        let file = folder.join("tokenizer.json");
        if !file.is_file() {
            return Ok(None);
        }
        let wrong = |error: &dyn std::fmt::Display| {
            let what = format!("this is no tokenizer: {error}").split_whitespace().collect::<Vec<_>>().join(" ");
            HubError::new(what, file.display().to_string(), "fetch the file again")
        };
        let mut inner = Tokenizer::from_file(&file).map_err(|error| wrong(&error))?;
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|error| wrong(&error))?;
        inner.encode_fast("\u{10FFFD}", false).map_err(|error| wrong(&error))?;
        let id = |token: &str| inner.token_to_id(token);
        let tokenizer = TextTokenizer {
            bos: marks.bos,
            eos: Some(marks.eos),
            pad: id("[PAD]").or(Some(marks.pad)),
            unk: id("[UNK]").or(id("<unk>")),
            cls: id("[CLS]"),
            sep: id("[SEP]"),
            mask: id("[MASK]"),
            dec: id("[DEC]"),
            decoder_start: Some(marks.decoder_start),
            inner,
        };
        Ok(Some(Self { tokenizer, by_file: true }))
    }

    /// A prompt as the language model reads it, special tokens included.
    ///
    /// # Panics
    /// Not for a tokenizer that was read here: it is checked that it encodes any text.
    #[must_use]
    pub fn prompt(&self, text: &str, marks: LanguageMarks, encoder_decoder: bool) -> Vec<u32> {
        if self.by_file {
            return self.tokenizer.inner.encode_fast(text, true).expect("it encodes any text").get_ids().to_vec();
        }
        let ids = self.tokenizer.encode(text);
        if encoder_decoder {
            ids.into_iter().chain([marks.eos]).collect()
        } else {
            marks.bos.into_iter().chain(ids).collect()
        }
    }

    /// A text for the Q-Former: `[CLS] .. [SEP]`, cut to `most` tokens as LAVIS cuts.
    ///
    /// # Panics
    /// As [`Words::prompt`].
    #[must_use]
    pub fn sentence(&self, text: &str, most: usize) -> Vec<u32> {
        let kept = self.tokenizer.encode(text).into_iter().take(most.saturating_sub(2).max(1));
        self.tokenizer.cls.into_iter().chain(kept).chain(self.tokenizer.sep).collect()
    }

    /// What the model wrote, as text.
    #[must_use]
    pub fn text(&self, ids: &[u32]) -> String {
        self.tokenizer.decode(ids).trim().to_owned()
    }
}
