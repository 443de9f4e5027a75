//! A tokenizer with its special ids and its table.

use crate::table::TokenTable;
use std::collections::BTreeMap;
use tokenizers::{AddedToken, Tokenizer};
use toolkit_core::Ends;
use toolkit_system::encoding::{Encoding, UTF16, encoding};
use toolkit_system::problem::Problem;
use toolkit_system::unwind;

/// A tokenizer with its special ids and the table that it is for.
///
/// [`encode`](Self::encode) adds no special tokens: the code that makes a batch does. A special
/// token that a text spells out is read as one, as by Hugging Face's tokenizers;
/// [`special_tokens_in`](Self::special_tokens_in) finds them.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the ids are documented on the registry's `TokenizerSection`")]
pub struct TextTokenizer {
    inner: Tokenizer,
    /// File that errors name.
    file: String,
    pub(crate) table: TokenTable,
    /// Special tokens that a text can spell out, by id.
    pub(crate) special: BTreeMap<u32, String>,
    pub bos: Option<u32>,
    pub eos: Option<Ends>,
    pub pad: Option<u32>,
    pub unk: Option<u32>,
    pub cls: Option<u32>,
    pub sep: Option<u32>,
    pub mask: Option<u32>,
    pub dec: Option<u32>,
    pub decoder_start: Option<u32>,
}

impl TextTokenizer {
    /// Reads a tokenizer without special ids from the bytes of a `tokenizer.json`. Errors call it
    /// `file`.
    ///
    /// # Errors
    /// If it is broken, or cannot encode every text.
    pub fn read(bytes: &[u8], file: &str, table: TokenTable) -> Result<Self, Problem> {
        let bytes = match encoding(bytes) {
            Encoding::Utf8 { mark } => &bytes[mark..],
            Encoding::Utf16 => return Err(Problem::new(UTF16.0).at(file).hint(UTF16.1)),
        };
        let wrong = |error: String| {
            let what = format!("this is not a tokenizer: {error}");
            let hint =
                "give a `tokenizer.json` of the Hugging Face format, or fetch the file again";
            Problem::new(what).at(file).hint(hint)
        };
        let inner = guarded(|| Tokenizer::from_bytes(bytes)).map_err(wrong)?;
        Self::new(inner, file, table)
    }

    /// Makes a tokenizer without special ids of one in memory. Errors call it `file`.
    ///
    /// # Errors
    /// As [`TextTokenizer::read`].
    pub fn new(mut inner: Tokenizer, file: &str, table: TokenTable) -> Result<Self, Problem> {
        // A file may ask for either; the code that makes the batch decides both.
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|error| {
            Problem::new(error).at(file).hint("remove `truncation` from the file")
        })?;
        // U+10FFFD is in no vocabulary. Without an unknown token, the first caption with a strange
        // character would end a run.
        let tried = guarded(|| {
            let ids = inner.encode_fast("\u{10FFFD}", false)?.get_ids().to_vec();
            inner.decode(&[&ids[..], &[0, 1, 2, 3]].concat(), false)
        });
        tried.map_err(|error| {
            let what = format!("this tokenizer cannot encode every text: {error}");
            let hint = "add the unknown token to the file's vocabulary, or fetch the file again";
            Problem::new(what).at(file).hint(hint)
        })?;
        let special =
            inner.get_added_tokens_decoder().into_iter().filter(|(_, token)| token.special);
        let special = special.map(|(id, token)| (id, token.content)).collect();
        let none = None;
        Ok(Self {
            inner,
            file: file.to_owned(),
            table,
            special,
            bos: none,
            eos: None,
            pad: none,
            unk: none,
            cls: none,
            sep: none,
            mask: none,
            dec: none,
            decoder_start: none,
        })
    }

    /// Encodes `text` without adding special tokens.
    ///
    /// # Errors
    /// If the file is broken, or a token has no row in the table.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, Problem> {
        self.ids(text, false)
    }

    /// Encodes `text` and adds the special tokens of the file's post-processor.
    ///
    /// # Errors
    /// As [`TextTokenizer::encode`].
    pub fn encode_with_special_tokens(&self, text: &str) -> Result<Vec<u32>, Problem> {
        self.ids(text, true)
    }

    fn ids(&self, text: &str, add_special_tokens: bool) -> Result<Vec<u32>, Problem> {
        let encoded =
            guarded(|| self.inner.encode_fast(text, add_special_tokens)).map_err(|error| {
                Problem::new(format_args!("this tokenizer cannot encode a text: {error}"))
                    .at(&self.file)
                    .hint("fetch the file again")
            })?;
        let ids = encoded.get_ids().to_vec();
        self.check(&ids)?;
        Ok(ids)
    }

    /// Compares ids from elsewhere than [`TextTokenizer::encode`] with the table.
    ///
    /// # Errors
    /// If one has no row.
    pub fn check(&self, ids: &[u32]) -> Result<(), Problem> {
        let TokenTable { rows, of } = &self.table;
        let Some(id) = ids.iter().find(|id| **id as usize >= *rows) else { return Ok(()) };
        let token = self.inner.id_to_token(*id).unwrap_or_default();
        let what = format!("token `{token}` has id {id}, {of} has {rows} rows");
        let hint = "leave the token out of the text, or resize the embedding \
            (`resize_token_embeddings`) and save again";
        Err(Problem::new(what).at(&self.file).hint(hint))
    }

    /// Decodes `ids`. Special tokens and ids that the vocabulary lacks are skipped.
    ///
    /// # Errors
    /// If the decoder of the file refuses tokens of its own vocabulary.
    pub fn decode(&self, ids: &[u32]) -> Result<String, Problem> {
        guarded(|| self.inner.decode(ids, true)).map_err(|error| {
            Problem::new(format_args!("this tokenizer cannot decode a text: {error}"))
                .at(&self.file)
                .hint("fetch the file again")
        })
    }

    /// Returns the id of a token as written in the vocabulary.
    #[must_use]
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// Returns a token as written in the vocabulary.
    #[must_use]
    pub fn token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// Returns the rows that an embedding table needs: one more than the largest id.
    #[must_use]
    pub fn vocab(&self) -> usize {
        self.inner.get_vocab(true).values().max().map_or(0, |id| *id as usize + 1)
    }

    /// Appends a special token to the vocabulary, with the next id.
    ///
    /// # Errors
    /// If the tokenizer refuses it.
    pub fn add_special(&mut self, token: &str) -> Result<(), Problem> {
        let id = self.inner.get_vocab_size(true) as u32;
        self.inner
            .add_special_tokens([AddedToken::from(token, true)])
            .map_err(|error| Problem::new(error).at(&self.file))?;
        self.special.insert(id, token.to_owned());
        Ok(())
    }

    /// Returns the tokenizer of the `tokenizers` crate, to be written in another form. Its ids are
    /// not compared with the table.
    #[must_use]
    pub fn inner(&self) -> &Tokenizer {
        &self.inner
    }

    /// Returns the table that ids are looked up in.
    #[must_use]
    pub fn table(&self) -> &TokenTable {
        &self.table
    }
}

/// Calls the `tokenizers` crate. A panic in it becomes an error, as those that it returns.
fn guarded<T>(work: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, String> {
    let result = unwind::caught(|| work().map_err(|error| error.to_string()));
    result.unwrap_or_else(|panic| Err(format!("it is damaged ({panic})")))
}
