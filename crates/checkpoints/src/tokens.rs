//! The tokenizer of a checkpoint's folder, and the texts that people give it.

use crate::CheckpointError;
use crate::byte_pairs::{self, Made};
use crate::folder::{files, is_there};
use std::path::Path;
use toolkit_core::LanguageSpecialTokens;
use toolkit_tokenizer::{TextTokenizer, TokenTable};

/// The placeholder that newer processors of transformers put where the picture is.
const PLACEHOLDER: &str = "<image>";

/// The error that a checkpoint has no tokenizer, with what its folder has instead.
pub(crate) fn none_in(checkpoint: &Path) -> CheckpointError {
    let folder = files(checkpoint).ok().and_then(|(_, config)| config.parent().map(Path::to_owned));
    let folder = folder.unwrap_or_else(|| checkpoint.to_owned());
    let slow =
        ["spiece.model", "sentencepiece.bpe.model", "tokenizer.model", "vocab.txt", "vocab.json"];
    let what = "this checkpoint has no tokenizer";
    match slow.into_iter().find(|file| folder.join(file).is_file()) {
        None => CheckpointError::new(
            what,
            folder.display().to_string(),
            "put its `tokenizer.json` beside the weights",
        ),
        Some(file) => {
            let python = "from transformers import AutoTokenizer as T; \
                T.from_pretrained('.').save_pretrained('.')";
            let hint =
                format!("make a `tokenizer.json` of it: in that folder, python -c \"{python}\"");
            CheckpointError::new(
                format!("{what} that is read, only `{file}`"),
                folder.display().to_string(),
                hint,
            )
        }
    }
}

/// A tokenizer with how its prompts are made.
#[derive(Clone, Debug)]
pub struct Words {
    /// The tokenizer.
    pub tokenizer: TextTokenizer,
    /// Whether special tokens are put where the file's post-processor says; otherwise by
    /// [`LanguageSpecialTokens`].
    by_file: bool,
    /// The id that stands for a query, where the configuration names one; no text may have it.
    image_token: Option<u32>,
}

impl Words {
    /// The tokenizer of a folder, if there is one, for the table that its ids are looked up in.
    ///
    /// # Errors
    /// If it is broken, cannot encode every text, or lacks a row for a token that every text has.
    pub fn read(
        folder: &Path,
        special_tokens: LanguageSpecialTokens,
        image_token: Option<u32>,
        table: TokenTable,
    ) -> Result<Option<Self>, CheckpointError> {
        let file = folder.join("tokenizer.json");
        let pairs = ["vocab.json", "merges.txt"].map(|file| folder.join(file));
        // `tokenizer.json` has what they say, but without one of them the checkpoint is not whole.
        for beside in ["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"] {
            is_there(&folder.join(beside))?;
        }
        let (file, bytes, by_file) = if is_there(&file)? {
            let bytes = toolkit_system::input::read(&file)
                .map_err(|error| CheckpointError::io("read", &file, error))?;
            (file, bytes, true)
        } else if is_there(&pairs[0])? && is_there(&pairs[1])? {
            let Made { json, framed } = byte_pairs::make(folder)?;
            let [vocabulary, _] = pairs;
            (vocabulary, json.to_string().into_bytes(), framed)
        } else {
            return Ok(None);
        };
        let mut tokenizer = TextTokenizer::read(&bytes, &file.display().to_string(), table)?;
        // A post-processor can be broken, or name tokens that the model lacks; then no prompt at
        // all is right.
        tokenizer.encode_framed("a")?;
        tokenizer.bos = special_tokens.bos;
        tokenizer.eos = Some(special_tokens.eos);
        tokenizer.pad = tokenizer.id("[PAD]").or(Some(special_tokens.pad));
        tokenizer.unk = tokenizer.id("[UNK]").or(tokenizer.id("<unk>"));
        tokenizer.cls = tokenizer.id("[CLS]");
        tokenizer.sep = tokenizer.id("[SEP]");
        tokenizer.mask = tokenizer.id("[MASK]");
        tokenizer.dec = tokenizer.id("[DEC]");
        tokenizer.decoder_start = Some(special_tokens.decoder_start);
        Ok(Some(Self { tokenizer, by_file, image_token }))
    }

    /// A tokenizer of cards, whose special tokens are put by [`LanguageSpecialTokens`].
    #[must_use]
    pub fn of_cards(tokenizer: TextTokenizer) -> Self {
        Self { tokenizer, by_file: false, image_token: None }
    }

    /// A prompt as the language model reads it, special tokens included.
    ///
    /// # Errors
    /// If it holds the placeholder of a picture, or a token that the language model has no row for.
    pub fn prompt(
        &self,
        text: &str,
        special_tokens: LanguageSpecialTokens,
        encoder_decoder: bool,
    ) -> Result<Vec<u32>, CheckpointError> {
        let ids = if self.by_file {
            self.tokenizer.encode_framed(text)?
        } else {
            self.tokenizer.encode(text)?
        };
        if text.contains(PLACEHOLDER) || self.image_token.is_some_and(|image| ids.contains(&image))
        {
            let token = self.image_token.and_then(|id| self.tokenizer.token(id));
            let token = token
                .filter(|token| text.contains(token.as_str()))
                .unwrap_or(PLACEHOLDER.to_owned());
            let what = format!("the prompt holds `{token}`, which stands for the picture");
            let hint = format!(
                "leave `{token}` out: the picture is put before the prompt by the model itself"
            );
            return Err(CheckpointError::new(what, format!("prompt `{text}`"), hint));
        }
        Ok(match (self.by_file, encoder_decoder) {
            (true, _) => ids,
            (false, true) => ids.into_iter().chain([special_tokens.eos.first()]).collect(),
            (false, false) => special_tokens.bos.into_iter().chain(ids).collect(),
        })
    }

    /// A candidate answer as the language model would write it behind `prompt`, without special
    /// tokens. A decoder-only model goes on with a space; what is cut into tokens is the whole
    /// text, as it would have been read.
    ///
    /// # Errors
    /// As [`Words::prompt`], and if nothing is left of the candidate.
    pub fn candidate(
        &self,
        prompt: &str,
        candidate: &str,
        special_tokens: LanguageSpecialTokens,
        encoder_decoder: bool,
    ) -> Result<Vec<u32>, CheckpointError> {
        let candidate = candidate.trim();
        if candidate.is_empty() {
            return Err(CheckpointError::new(
                "a candidate is empty",
                format!("candidate `{candidate}`"),
                "give it a text",
            ));
        }
        if encoder_decoder || prompt.is_empty() {
            return Ok(self.tokenizer.encode(candidate)?);
        }
        let before = self.prompt(prompt.trim_end(), special_tokens, false)?;
        let whole =
            self.prompt(&format!("{} {candidate}", prompt.trim_end()), special_tokens, false)?;
        match whole.strip_prefix(&before[..]) {
            Some(ids) => Ok(ids.to_vec()),
            // The vocabulary has a token across the border; the candidate stands alone then.
            None => Ok(self.tokenizer.encode(&format!(" {candidate}"))?),
        }
    }

    /// A text for the Q-Former: `[CLS] .. [SEP]`, cut to `most` tokens as LAVIS cuts.
    ///
    /// # Errors
    /// If it holds a token that the text side has no row for.
    pub fn sentence(&self, text: &str, most: usize) -> Result<Vec<u32>, CheckpointError> {
        let kept = self.tokenizer.encode(text)?.into_iter().take(most.saturating_sub(2).max(1));
        let ids: Vec<u32> =
            self.tokenizer.cls.into_iter().chain(kept).chain(self.tokenizer.sep).collect();
        self.tokenizer.check(&ids)?;
        Ok(ids)
    }

    /// The padding of texts for the Q-Former; `default` where the vocabulary has none.
    ///
    /// # Errors
    /// If the text side has no row for it.
    pub fn padding(&self, default: u32) -> Result<u32, CheckpointError> {
        let pad = self.tokenizer.pad.unwrap_or(default);
        self.tokenizer.check(&[pad])?;
        Ok(pad)
    }

    /// The text of ids that the model wrote.
    ///
    /// # Errors
    /// If the decoder of the file refuses tokens of its own vocabulary.
    pub fn text(&self, ids: &[u32]) -> Result<String, CheckpointError> {
        Ok(self.tokenizer.decode(ids)?.trim().to_owned())
    }

    /// Says what to log about texts that are about to be encoded; see [`TextTokenizer::spelt_out`].
    /// Of texts with the placeholder of a picture nothing is said: [`Words::prompt`] refuses them.
    #[must_use]
    pub fn spelt_out<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> Option<String> {
        let image = self.image_token.and_then(|id| self.tokenizer.token(id));
        let refused = |text: &str| {
            text.contains(PLACEHOLDER)
                || image.as_ref().is_some_and(|token| text.contains(token.as_str()))
        };
        self.tokenizer.spelt_out(texts.into_iter().filter(|text| !refused(text)))
    }
}
