//! Text to token ids and back. Every id is compared with the table it will be looked up in.
//!
//! The `tokenizers` crate panics on some damaged files, when they are read or when they are used.
//! [`unwind::caught`] stands around each of its calls here, so that such a file is an error with
//! its name.

use std::collections::BTreeMap;
use tokenizers::{AddedToken, Tokenizer};
use toolkit_core::Ends;
use toolkit_system::encoding::{Encoding, UTF16, encoding};
use toolkit_system::problem::Problem;
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
#[expect(missing_docs, reason = "the ids are documented on the registry's `TokenizerSection`")]
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

    /// The same out of a tokenizer in memory.
    ///
    /// # Errors
    /// As [`TextTokenizer::read`].
    pub fn new(mut inner: Tokenizer, file: &str, table: TokenTable) -> Result<Self, Problem> {
        // A file may ask for either; both are decided by the code that makes the batch.
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|error| {
            Problem::new(error).at(file).hint("remove `truncation` from the file")
        })?;
        // A character that no vocabulary has: without an unknown token, the first odd caption would
        // end a run.
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

    /// Ids of `text`, no special tokens added.
    ///
    /// # Errors
    /// If the file is broken, or a token has no row in the table.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, Problem> {
        self.ids(text, false)
    }

    /// Ids of `text` with the special tokens that the file's post-processor puts around it.
    ///
    /// # Errors
    /// As [`TextTokenizer::encode`].
    pub fn encode_framed(&self, text: &str) -> Result<Vec<u32>, Problem> {
        self.ids(text, true)
    }

    fn ids(&self, text: &str, framed: bool) -> Result<Vec<u32>, Problem> {
        let encoded = guarded(|| self.inner.encode_fast(text, framed)).map_err(|error| {
            Problem::new(format_args!("this tokenizer cannot encode a text: {error}"))
                .at(&self.file)
                .hint("fetch the file again")
        })?;
        let ids = encoded.get_ids().to_vec();
        self.check(&ids)?;
        Ok(ids)
    }

    /// Compares ids that did not come out of [`TextTokenizer::encode`] with the table.
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

    /// Text of `ids`, special tokens left out; ids that the vocabulary lacks are skipped.
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
