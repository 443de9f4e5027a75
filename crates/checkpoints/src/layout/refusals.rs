//! Reasons that a checkpoint cannot be used.

use super::files::projected_width;
use crate::CheckpointError;
use crate::config::Config;
use std::collections::BTreeSet;
use toolkit_core::params::Info;
use toolkit_core::published::{Part, PublishedNames};
use toolkit_core::{LanguageKind, LanguageShape};
use toolkit_formats::Tensors;
use toolkit_models::weights::reader::Reader;

/// Creates the error that a file has nothing of a part, with the beginnings of its names.
pub(super) fn no_weights(
    reader: &Reader,
    names: &PublishedNames,
    infos: &[Info],
) -> CheckpointError {
    const SHOWN: usize = 6;
    if let Some(error) = reader.behind_a_level(names, infos) {
        return error.into();
    }
    let (noun, key) = match names.part() {
        Part::Vision => ("encoder", "vision_weights"),
        _ => ("language model", "language_weights"),
    };
    let stored = || reader.tensors().names();
    let hint = if stored().any(|name| name.starts_with("Qformer.")) {
        format!(
            "LAVIS keeps the {noun} in a file of its own: name it as `{key}` in the `config.json`"
        )
    } else {
        let first: BTreeSet<&str> =
            stored().filter_map(|name| name.split_inclusive('.').next()).collect();
        let shown: Vec<String> =
            first.iter().take(SHOWN).map(|level| format!("`{}`", level.escape_debug())).collect();
        let more = if first.len() > SHOWN { " .." } else { "" };
        let begin = format!("its names begin with {}{more}", shown.join(", "));
        format!(
            "{begin}; if the {noun} is in a file of its own, name that as `{key}` in the \
            `config.json`"
        )
    };
    CheckpointError::new(
        format!("there are no weights of the {noun}"),
        reader.tensors().path().display().to_string(),
        hint,
    )
}

/// Returns the error that a file has what stage 2 trained without the frozen parts, and the
/// configuration names none either.
pub(super) fn trained_only(tensors: &Tensors) -> Option<CheckpointError> {
    const FROZEN: [&str; 7] = [
        "visual_encoder.",
        "vision_model.",
        "opt_model.",
        "t5_model.",
        "llm_model.",
        "language_model.",
        "language.",
    ];
    projected_width(tensors)?;
    if tensors.names().any(|name| FROZEN.iter().any(|part| name.starts_with(part))) {
        return None;
    }
    let what = "this file has only what was trained: the frozen parts (encoder, language model) \
        are not in it";
    let hint = "`toolkit convert RUN NEW.pth --to lavis --all` writes them too; or describe them \
        in `config.json` (`vision_config`, `text_config`) and name their files \
        (`vision_weights`, `language_weights`)";
    Some(CheckpointError::new(what, tensors.path().display().to_string(), hint))
}

/// Returns the note that no text can have the placeholder of a picture, which stands for a query in
/// the language model's ids.
pub(super) fn image_token_past(
    config: &Config,
    language: &LanguageShape,
    place: &str,
) -> Option<String> {
    let id = config.image_token.filter(|id| *id as usize >= language.vocab)?;
    let what = format!(
        "`image_token_index` is {id}, but the language model has {} tokens",
        language.vocab
    );
    Some(format!(
        "{what}: pictures are put before prompts all the same, but transformers cannot use it --> \
        {place}"
    ))
}

/// Compares the special ids with the rows of the language model.
pub(super) fn check_special_tokens(
    config: &Config,
    language: &LanguageShape,
    place: &str,
) -> Result<(), CheckpointError> {
    let special_tokens = config.special_tokens;
    let start = Some(special_tokens.decoder_start)
        .filter(|_| language.kind == LanguageKind::EncoderDecoder);
    let ids =
        [("bos", special_tokens.bos), ("pad", Some(special_tokens.pad)), ("decoder_start", start)];
    let ends = special_tokens.eos.ids().iter().map(|end| ("eos", Some(*end)));
    let wrong = |(name, id): (&'static str, Option<u32>)| {
        Some((name, id.filter(|&id| id as usize >= language.vocab)?))
    };
    let Some((name, id)) = ids.into_iter().chain(ends).find_map(wrong) else { return Ok(()) };
    let what =
        format!("`{name}_token_id` is {id}, but the language model has {} tokens", language.vocab);
    Err(CheckpointError::new(what, place, "correct it here or in `generation_config.json`"))
}
