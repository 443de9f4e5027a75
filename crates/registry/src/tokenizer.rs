//! The tokenizer that a card names, with the special ids that it states.

use crate::Card;
use toolkit_system::problem::Problem;
use toolkit_tokenizer::{TextTokenizer, TokenTable};

impl Card {
    /// Reads the `tokenizer.json` that is embedded in the weights.
    fn embedded_tokenizer(&self) -> Result<String, Problem> {
        let wrong =
            |what: String| self.text().error_at("tokenizer.file", what, "name a `tokenizer.json`");
        let tensors = self.open_weights().map_err(|error| wrong(error.to_string()))?;
        let Some(metadata) = tensors.gguf() else {
            return Err(wrong(format!("{} is no GGUF file", tensors.path().display())));
        };
        metadata.tokenizer_json().map_err(|error| wrong(error.to_string()))
    }

    /// Reads the tokenizer that `[tokenizer]` names, for the table that its ids are looked up in.
    ///
    /// # Errors
    /// If there is none, its file is missing, changed or broken, or a special id is not in its
    /// vocabulary or the table.
    pub fn tokenizer(&self, table: TokenTable) -> Result<TextTokenizer, Problem> {
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
        if section.dec.is_some_and(|dec| dec as usize == tokenizer.inner().get_vocab_size(true)) {
            tokenizer.add_special("[DEC]").map_err(|error| {
                let hint = "give a file that has the token";
                self.text().error_at("tokenizer.dec", error.what, hint)
            })?;
        }
        for (key, id) in section.ids() {
            let at = |what: String, hint: &str| {
                self.text().error_at(&format!("tokenizer.{key}"), what, hint)
            };
            if tokenizer.token(id).is_none() {
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
        tokenizer.bos = section.bos;
        tokenizer.eos = section.eos;
        tokenizer.pad = section.pad;
        tokenizer.unk = section.unk;
        tokenizer.cls = section.cls;
        tokenizer.sep = section.sep;
        tokenizer.mask = section.mask;
        tokenizer.dec = section.dec;
        tokenizer.decoder_start = section.decoder_start;
        Ok(tokenizer)
    }
}
