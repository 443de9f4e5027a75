//! A folder that transformers loads: `Blip2ForConditionalGeneration`, or without a language model
//! `Blip2ForImageTextRetrieval`.

use super::companions::{preprocessor, put, tokenizer};
use super::configs::{config, generation, image_token};
use super::{Form, Summary, Target, Written, shards, targets};
use crate::CheckpointError;
use crate::config::VisionConfig;
use serde_json::json;
use std::path::Path;
use toolkit_core::published::{Part, Scheme};
use toolkit_models::bridge::qformer::{Side, side};
use toolkit_models::vision::eva::EvaConfig;
use toolkit_system::files::write_folder;

/// Writes the folder, which appears whole or not at all.
///
/// # Errors
/// If the model has no place in that form, something is there already, or files cannot be written.
pub fn hugging_face(
    model: &mut Written<'_>,
    folder: &Path,
    form: Form,
) -> Result<Summary, CheckpointError> {
    let vision = encoder(model, folder)?;
    let text = model.language.is_none();
    if text {
        require_text_side(model, folder)?;
    }
    let mut left_out = drop_parameters(model, &vision, text);
    let (targets, more) = targets(model, Scheme::HuggingFace);
    left_out.extend(more);
    let files = write_folder(folder, |temporary| {
        fill(model, &vision, &targets, temporary, form).map_err(|error| match error {
            CheckpointError::File(error) => CheckpointError::File(error.moved(temporary, folder)),
            other => other,
        })
    })?;
    let files = files.into_iter().map(|name| folder.join(name)).collect();
    Ok(Summary { files, tensors: targets.len(), left_out, note: None })
}

/// Returns the encoder's configuration; transformers' BLIP-2 has EVA's form only.
fn encoder(model: &Written<'_>, folder: &Path) -> Result<EvaConfig, CheckpointError> {
    let (what, hint) = match &model.vision {
        Some(VisionConfig::Eva(c)) => return Ok(c.clone()),
        Some(VisionConfig::Clip(_)) => (
            "transformers' BLIP-2 has only EVA's form of an encoder, this one is CLIP's",
            "its norm before the first block has no place there; convert to `lavis`, or train with \
            an `eva` encoder",
        ),
        None => (
            "transformers' BLIP-2 needs an encoder, and there is none",
            "name `vision_weights` in the `config.json`",
        ),
    };
    Err(CheckpointError::new(what, folder.display(), hint))
}

/// Refuses a model without a language model and without a text side.
fn require_text_side(model: &Written<'_>, folder: &Path) -> Result<(), CheckpointError> {
    let mut bridge = model.parameters.iter().filter(|(names, _)| names.part() == Part::Bridge);
    if bridge.any(|(_, info)| side(&info.name) == Side::Text) {
        return Ok(());
    }
    let what = "there is neither a language model nor a text side";
    let hint = "name `language_weights` in the `config.json`";
    Err(CheckpointError::new(what, folder.display(), hint))
}

/// Drops the parameters that the form has no place for, and lists what is left out.
///
/// A model that generates has no text side there, one for retrieval (`text`) no captioning head.
fn drop_parameters(model: &mut Written<'_>, vision: &EvaConfig, text: bool) -> Vec<String> {
    let mut left_out: Vec<String> = Vec::new();
    let (there, here) = (vision.layer_norm_eps, model.qformer.vision_layer_norm_eps);
    if there != here {
        left_out.push(format!(
            "the epsilon of ln_vision, {here:e} (the encoder's serves there, {there:e})"
        ));
    }
    model.parameters.retain(|(names, info)| {
        let has_place = names.part() != Part::Bridge
            || side(&info.name) == Side::Query
            || (text && side(&info.name) == Side::Text);
        if !has_place {
            left_out.push(info.name.clone());
        }
        has_place
    });
    left_out
}

/// Writes weights, configuration, processor and tokenizer. Returns the names of the weight files.
fn fill(
    model: &Written<'_>,
    vision: &EvaConfig,
    targets: &[Target],
    folder: &Path,
    form: Form,
) -> Result<Vec<String>, CheckpointError> {
    let files = shards::write(folder, targets, model.values.as_ref(), form)?;
    let image_token = model.image_token.or_else(|| image_token(model));
    put(&folder.join("config.json"), &config(model, vision, image_token, form))?;
    if model.language.is_some() {
        put(&folder.join("generation_config.json"), &generation(model))?;
    }
    if let Some(made) = &model.preprocess {
        put(&folder.join("preprocessor_config.json"), &preprocessor(made))?;
        let processor = json!({
            "num_query_tokens": model.qformer.num_query_tokens, "processor_class": "Blip2Processor",
        });
        put(&folder.join("processor_config.json"), &processor)?;
    }
    tokenizer(model, folder)?;
    Ok(files)
}
