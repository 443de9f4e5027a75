//! A `.pth` as LAVIS saves it, with a `config.json` that describes it.
//!
//! LAVIS saves the trained parts: of stage 1 the whole Q-Former, of stage 2 the queries' path and
//! the projection. Frozen parts are in files of their own there. So the encoder and the language
//! model are written only with `all`.

use super::companions::{check_own, preprocessor, put_if_absent};
use super::configs::{text_config, vision_config};
use super::{Form, Summary, Written, targets, torch};
use crate::CheckpointError;
use crate::config::LanguageConfig;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use toolkit_core::published::{Part, Scheme};
use toolkit_system::files::{FileError, sweep_beside};

/// Writes `file` and the `config.json` next to it. With `all`, it also writes the frozen parts and
/// the processor.
///
/// # Errors
/// If a file next to it is of another checkpoint, files cannot be written, or keys of the encoder
/// have a bias, which LAVIS has no place for.
pub fn lavis(
    model: &mut Written<'_>,
    file: &Path,
    form: Form,
    all: bool,
) -> Result<Summary, CheckpointError> {
    if matches!(model.language, Some(LanguageConfig::Llama(_))) {
        let what = "LAVIS's BLIP-2 has OPT and T5, this one has a Llama";
        return Err(CheckpointError::new(what, file.display().to_string(), "convert to `hf`"));
    }
    let folder =
        file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut left_out = Vec::new();
    model.parameters.retain(|(names, info)| {
        let has_place = all || matches!(names.part(), Part::Bridge | Part::Projection);
        if !has_place {
            left_out.push(info.name.clone());
        }
        has_place
    });
    let (targets, more) = targets(model, Scheme::Lavis);
    left_out.extend(more);

    // 1. What is there already is not touched.
    let mut companions = vec![(folder.join("config.json"), config(model, all))];
    if let Some(made) = model.preprocess.as_ref().filter(|_| all) {
        companions.push((folder.join("preprocessor_config.json"), preprocessor(made)));
    }
    companions.iter().try_for_each(|(path, value)| check_own(path, value))?;

    // 2. The weights last: without them the folder is no checkpoint.
    std::fs::create_dir_all(folder).map_err(|error| FileError::new(folder, error))?;
    sweep_beside(file);
    let mut made: Vec<&Path> = Vec::new();
    let written = companions.iter().try_for_each(|(path, value): &(PathBuf, Value)| {
        sweep_beside(path);
        if put_if_absent(path, value)? {
            made.push(path);
        }
        Ok(())
    });
    let written = written.and_then(|()| torch::write(file, &targets, model.values.as_ref(), form));
    if written.is_err() {
        for path in made {
            // The first error is the one to report.
            let _ = std::fs::remove_file(path);
        }
    }
    written?;
    Ok(Summary { files: vec![file.to_owned()], tensors: targets.len(), left_out, note: None })
}

/// Makes the `config.json`.
fn config(model: &Written<'_>, all: bool) -> Value {
    let q = &model.qformer;
    let mut config = json!({
        "hidden_size": q.hidden_size, "num_hidden_layers": q.num_hidden_layers,
        "num_attention_heads": q.num_attention_heads, "intermediate_size": q.intermediate_size,
        "vocab_size": q.vocab_size, "num_query_tokens": q.num_query_tokens,
        "cross_attention_frequency": q.cross_attention_frequency,
        "image_text_hidden_size": q.image_text_hidden_size,
        "max_position_embeddings": q.max_position_embeddings, "layer_norm_eps": q.layer_norm_eps,
        "dropout": q.dropout,
        "vision_layer_norm_eps": q.vision_layer_norm_eps,
        "decoder_start_token_id": model.stage1.dec, "pad_token_id": model.stage1.pad,
        "label_smoothing": model.stage1.label_smoothing,
    });
    if all {
        if let Some(vision) = &model.vision {
            config["vision_config"] = vision_config(vision);
        }
        if model.language.is_some() {
            config["text_config"] = text_config(model);
        }
    }
    config
}
