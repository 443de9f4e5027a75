//! Text to token ids and back. Every id is compared with the table it will be looked up in.
//!
//! The `tokenizers` crate panics on some damaged files, when they are read or when they are used.
//! [`unwind::caught`] stands around each of its calls here, so that such a file is an error with
//! its name.

use crate::{Card, CardError};
use std::collections::BTreeMap;
use tokenizers::{AddedToken, Tokenizer};
use toolkit_core::Ends;
use toolkit_system::encoding::{Encoding, UTF16, encoding};
use toolkit_system::unwind;

/// The table of embeddings that token ids are looked up in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenTable {
    /// Number of rows: ids from 0 to `rows - 1` have an embedding.
    pub rows: usize,
    /// The part that has it, as messages call it.
    pub of: String,
}

impl TokenTable {
    /// A table of a language model.
    #[must_use]
    pub fn of_language(rows: usize) -> Self {
        Self { rows, of: "the language model".to_owned() }
    }

    /// A table of a bridge's text side.
    #[must_use]
    pub fn of_text_side(rows: usize) -> Self {
        Self { rows, of: "the bridge's text side".to_owned() }
    }
}

/// A tokenizer with its special ids and the table that it is for. `encode` adds no special tokens:
/// which ones stand where is decided by the code that makes a batch. A special token that is spelt
/// out in a text is still read as one, as everywhere; [`TextTokenizer::spelt_out`] tells.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the ids are documented on `TokenizerSection`")]
pub struct TextTokenizer {
    inner: Tokenizer,
    file: String,
    table: TokenTable,
    /// Special tokens that a text can spell out, by id.
    special: BTreeMap<u32, String>,
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
    /// A tokenizer without special ids out of the bytes of a `tokenizer.json`; `file` is what
    /// errors call it.
    ///
    /// # Errors
    /// If it is broken, or cannot encode every text.
    pub fn read(bytes: &[u8], file: &str, table: TokenTable) -> Result<Self, CardError> {
        let bytes = match encoding(bytes) {
            Encoding::Utf8 { mark } => &bytes[mark..],
            Encoding::Utf16 => return Err(CardError::new(file, UTF16.0, UTF16.1)),
        };
        let wrong = |error: String| {
            let what = format!("this is not a tokenizer: {error}");
            CardError::new(
                file,
                what,
                "give a `tokenizer.json` of the Hugging Face format, or fetch the file again",
            )
        };
        let inner = guarded(|| Tokenizer::from_bytes(bytes)).map_err(wrong)?;
        Self::new(inner, file, table)
    }

    /// The same out of a tokenizer in memory.
    ///
    /// # Errors
    /// As [`TextTokenizer::read`].
    pub fn new(mut inner: Tokenizer, file: &str, table: TokenTable) -> Result<Self, CardError> {
        // A file may ask for either; both are decided by the code that makes the batch.
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|error| {
            CardError::new(file, error.to_string(), "remove `truncation` from the file")
        })?;
        // A character that no vocabulary has: without an unknown token, the first odd caption would
        // end a run.
        let tried = guarded(|| {
            let ids = inner.encode_fast("\u{10FFFD}", false)?.get_ids().to_vec();
            inner.decode(&[&ids[..], &[0, 1, 2, 3]].concat(), false)
        });
        tried.map_err(|error| {
            let what = format!("this tokenizer cannot encode every text: {error}");
            CardError::new(
                file,
                what,
                "add the unknown token to the file's vocabulary, or fetch the file again",
            )
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

    /// Ids of `text`, no special tokens added.
    ///
    /// # Errors
    /// If the file is broken, or a token has no row in the table.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, CardError> {
        self.ids(text, false)
    }

    /// Ids of `text` with the special tokens that the file's post-processor puts around it.
    ///
    /// # Errors
    /// As [`TextTokenizer::encode`].
    pub fn encode_framed(&self, text: &str) -> Result<Vec<u32>, CardError> {
        self.ids(text, true)
    }

    fn ids(&self, text: &str, framed: bool) -> Result<Vec<u32>, CardError> {
        let encoded = guarded(|| self.inner.encode_fast(text, framed)).map_err(|error| {
            CardError::new(
                &self.file,
                format!("this tokenizer cannot encode a text: {error}"),
                "fetch the file again",
            )
        })?;
        let ids = encoded.get_ids().to_vec();
        self.check(&ids)?;
        Ok(ids)
    }

    /// Compares ids that did not come out of [`TextTokenizer::encode`] with the table.
    ///
    /// # Errors
    /// If one has no row.
    pub fn check(&self, ids: &[u32]) -> Result<(), CardError> {
        let TokenTable { rows, of } = &self.table;
        let Some(id) = ids.iter().find(|id| **id as usize >= *rows) else { return Ok(()) };
        let token = self.inner.id_to_token(*id).unwrap_or_default();
        let what = format!("token `{token}` has id {id}, {of} has {rows} rows");
        let hint = "leave the token out of the text, or resize the embedding \
            (`resize_token_embeddings`) and save again";
        Err(CardError::new(&self.file, what, hint))
    }

    /// Text of `ids`, special tokens left out; ids that the vocabulary lacks are skipped.
    ///
    /// # Errors
    /// If the decoder of the file refuses tokens of its own vocabulary.
    pub fn decode(&self, ids: &[u32]) -> Result<String, CardError> {
        guarded(|| self.inner.decode(ids, true)).map_err(|error| {
            CardError::new(
                &self.file,
                format!("this tokenizer cannot decode a text: {error}"),
                "fetch the file again",
            )
        })
    }

    /// Says which special tokens `texts` spell out, such as `</s>`: they are read as the token and
    /// not as words. `None` if there are none.
    #[must_use]
    pub fn spelt_out<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> Option<String> {
        let starts: Vec<char> =
            self.special.values().filter_map(|token| token.chars().next()).collect();
        let (mut all, mut found, mut first) = (0, 0, None);
        for text in texts {
            all += 1;
            // Most texts have no bracket at all and need no look at the vocabulary.
            if !text.contains(&starts[..]) {
                continue;
            }
            let spelt =
                |(_, token): &(&u32, &String)| !token.is_empty() && text.contains(token.as_str());
            let Some((id, token)) = self.special.iter().find(spelt) else { continue };
            found += 1;
            first.get_or_insert_with(|| format!("`{token}` (id {id}) in `{}`", shortened(text)));
        }
        let count = if all == 1 {
            "the text holds".to_owned()
        } else {
            format!("{found} of {all} texts hold")
        };
        first.map(|first| {
            format!("{count} special tokens, which are read as such and not as words: {first}")
        })
    }

    /// Says how many tokens of the vocabulary have no row in the table. `None` if every one has.
    ///
    /// More tokens than rows are common and legal: they were added and not trained. A text that
    /// holds one is refused by
    /// [`TextTokenizer::encode`].
    #[must_use]
    pub fn past_table(&self) -> Option<String> {
        let TokenTable { rows, of } = &self.table;
        let vocabulary = self.inner.get_vocab(true);
        let past = vocabulary.iter().filter(|(_, id)| **id as usize >= *rows);
        let (count, first) = (past.clone().count(), past.min_by_key(|(_, id)| **id)?);
        let (token, id) = first;
        let what = format!("the tokenizer has tokens that {of} with its {rows} rows lacks");
        Some(format!(
            "{what}: {count} from `{token}` (id {id}) on; texts that hold one are refused"
        ))
    }

    /// The id of a token as written in the vocabulary.
    #[must_use]
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// A token as written in the vocabulary.
    #[must_use]
    pub fn token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// One more than the largest id, which is what an embedding table must have rows for.
    #[must_use]
    pub fn vocab(&self) -> usize {
        self.inner.get_vocab(true).values().max().map_or(0, |id| *id as usize + 1)
    }

    /// The tokenizer itself, to be written in another form. Ids that it makes are not compared with
    /// the table.
    #[must_use]
    pub fn inner(&self) -> &Tokenizer {
        &self.inner
    }

    /// The table that its ids are looked up in.
    #[must_use]
    pub fn table(&self) -> &TokenTable {
        &self.table
    }
}

/// Calls the `tokenizers` crate; a panic in it is an error like those that it returns.
fn guarded<T>(work: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, String> {
    let result = unwind::caught(|| work().map_err(|error| error.to_string()));
    result.unwrap_or_else(|panic| Err(format!("it is damaged ({panic})")))
}

/// The beginning of a text, for a message.
fn shortened(text: &str) -> String {
    const SHOWN: usize = 60;
    let kept: String = text.chars().take(SHOWN).collect();
    if kept.len() < text.len() { format!("{kept} ..") } else { kept }
}

impl Card {
    /// The `tokenizer.json` that is embedded in the weights.
    fn embedded_tokenizer(&self) -> Result<String, CardError> {
        let wrong =
            |what: String| self.text().error_at("tokenizer.file", what, "name a `tokenizer.json`");
        let tensors = self.open_weights().map_err(|error| wrong(error.to_string()))?;
        let Some(metadata) = tensors.gguf() else {
            return Err(wrong(format!("{} is no GGUF file", tensors.path().display())));
        };
        metadata.tokenizer_json().map_err(|error| wrong(error.to_string()))
    }

    /// The tokenizer that `[tokenizer]` names, for the table that its ids are looked up in.
    ///
    /// # Errors
    /// If there is none, its file is missing, changed or broken, or a special id is not in its
    /// vocabulary or the table.
    pub fn tokenizer(&self, table: TokenTable) -> Result<TextTokenizer, CardError> {
        let Some(section) = &self.tokenizer_section else {
            let what = format!("{} `{}` has no `[tokenizer]`", self.kind.noun(), self.name);
            return Err(self.text().error(0..0, what, "add `[tokenizer]` with `file = ..`"));
        };
        let bytes = match section.file.as_str() {
            "gguf" => std::borrow::Cow::Owned(self.embedded_tokenizer()?.into_bytes()),
            file => self.read_source("tokenizer.file", file, section.sha256.as_deref())?,
        };
        let shown = self.origin.show(&section.file);
        let read = TextTokenizer::read(&bytes, &shown, table);
        let mut tokenizer = read.map_err(|error| {
            self.text().error_at("tokenizer.file", format!("`{shown}`: {}", error.what), error.hint)
        })?;
        // LAVIS adds `[DEC]` to BERT's vocabulary, as the next id.
        if section.dec.is_some_and(|dec| dec as usize == tokenizer.inner.get_vocab_size(true)) {
            tokenizer.inner.add_special_tokens([AddedToken::from("[DEC]", true)]).map_err(
                |error| {
                    self.text().error_at(
                        "tokenizer.dec",
                        error.to_string(),
                        "give a file that has the token",
                    )
                },
            )?;
            tokenizer.special.extend(section.dec.map(|dec| (dec, "[DEC]".to_owned())));
        }
        for (key, id) in section.ids() {
            let at = |what: String, hint: &str| {
                self.text().error_at(&format!("tokenizer.{key}"), what, hint)
            };
            if tokenizer.inner.id_to_token(id).is_none() {
                let what = format!("`{key}` = {id} is not an id of `{shown}`");
                return Err(at(what, "look up the id in the file's vocabulary"));
            }
            tokenizer.check(&[id]).map_err(|error| {
                at(
                    format!("`{key}`: {}", error.what),
                    "correct the id, or `vocab_size` in `[config]`",
                )
            })?;
        }
        Ok(TextTokenizer {
            bos: section.bos,
            eos: section.eos,
            pad: section.pad,
            unk: section.unk,
            cls: section.cls,
            sep: section.sep,
            mask: section.mask,
            dec: section.dec,
            decoder_start: section.decoder_start,
            ..tokenizer
        })
    }
}
