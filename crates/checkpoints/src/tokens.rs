//! Tokenizers of checkpoints.

use crate::CheckpointError;
use crate::byte_pairs::{self, Made};
use crate::folder::files;
use crate::input::is_there;
use std::path::Path;
use toolkit_core::LanguageSpecialTokens;
use toolkit_system::problem::Problem;
use toolkit_tokenizer::{TextTokenizer, TokenTable};
use toolkit_vlm::{Framing, ModelTokenizer};

/// Creates the error that a checkpoint has no tokenizer, with the files that its folder has
/// instead.
pub(crate) fn none_in(checkpoint: &Path) -> Problem {
    let folder = files(checkpoint).ok().and_then(|(_, config)| config.parent().map(Path::to_owned));
    let folder = folder.unwrap_or_else(|| checkpoint.to_owned());
    let slow =
        ["spiece.model", "sentencepiece.bpe.model", "tokenizer.model", "vocab.txt", "vocab.json"];
    let what = "this checkpoint has no tokenizer";
    match slow.into_iter().find(|file| folder.join(file).is_file()) {
        None => Problem::new(what)
            .at(folder.display())
            .hint("put its `tokenizer.json` beside the weights"),
        Some(file) => {
            let python = "from transformers import AutoTokenizer as T; \
                T.from_pretrained('.').save_pretrained('.')";
            Problem::new(format_args!("{what} that is read, only `{file}`"))
                .at(folder.display())
                .hint(format_args!(
                    "make a `tokenizer.json` of it: in that folder, python -c \"{python}\""
                ))
        }
    }
}

/// Reads the tokenizer of a folder, if there is one, for the table that its ids are looked up in.
///
/// # Errors
/// If it is broken, cannot encode every text, or lacks a row for a token that every text has.
pub fn read(
    folder: &Path,
    special_tokens: LanguageSpecialTokens,
    image_token: Option<u32>,
    table: TokenTable,
) -> Result<Option<ModelTokenizer>, CheckpointError> {
    let file = folder.join("tokenizer.json");
    let pairs = ["vocab.json", "merges.txt"].map(|file| folder.join(file));
    // `tokenizer.json` holds their contents, but without one of them the checkpoint is not whole.
    for file in ["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"] {
        is_there(&folder.join(file))?;
    }
    let (file, bytes, framed) = if is_there(&file)? {
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
    // A post-processor can be broken, or name tokens that the model lacks; then no prompt at all
    // is right.
    tokenizer.encode_with_special_tokens("a")?;
    tokenizer.bos = special_tokens.bos;
    tokenizer.eos = Some(special_tokens.eos);
    tokenizer.pad = tokenizer.id("[PAD]").or(Some(special_tokens.pad));
    tokenizer.unk = tokenizer.id("[UNK]").or(tokenizer.id("<unk>"));
    tokenizer.cls = tokenizer.id("[CLS]");
    tokenizer.sep = tokenizer.id("[SEP]");
    tokenizer.mask = tokenizer.id("[MASK]");
    tokenizer.dec = tokenizer.id("[DEC]");
    tokenizer.decoder_start = Some(special_tokens.decoder_start);
    let framing = if framed { Framing::PostProcessor } else { Framing::SpecialTokens };
    Ok(Some(ModelTokenizer::published(tokenizer, framing, image_token)))
}
