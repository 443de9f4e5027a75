//! A `.pth` as LAVIS saves it, with a `config.json` beside it that says what is in it.
//!
//! LAVIS saves what was trained: stage 1 the Q-Former whole, stage 2 the queries' way and the projection. Frozen parts
//! are in files of their own there, so the encoder and the language model are only written if `all` is asked for.

use super::hugging_face::{put, text_config, vision_config};
use super::{Form, Summary, Written, targets, torch};
use crate::HubError;
use serde_json::json;
use std::path::Path;
use toolkit_registry::names::{Part, Scheme};

/// Writes `file` and the `config.json` beside it; with `all`, the frozen parts too.
///
/// # Errors
/// If files cannot be written, or keys of the encoder have a bias, which LAVIS has no place for.
pub fn lavis(model: &mut Written<'_>, file: &Path, form: Form, all: bool) -> Result<Summary, HubError> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(|error| HubError::io("make", folder, error))?;
    let mut left_out = Vec::new();
    model.parameters.retain(|(part, _, info)| {
        let kept = all || matches!(part, Part::Bridge | Part::Projection);
        if !kept {
            left_out.push(info.name.clone());
        }
        kept
    });
    let (targets, more) = targets(model, Scheme::Lavis);
    left_out.extend(more);
    torch::write(file, &targets, model.values.as_ref(), form)?;
    let q = &model.qformer;
    let mut config = json!({
        "hidden_size": q.hidden_size, "num_hidden_layers": q.num_hidden_layers,
        "num_attention_heads": q.num_attention_heads, "intermediate_size": q.intermediate_size,
        "vocab_size": q.vocab_size, "num_query_tokens": q.num_query_tokens,
        "cross_attention_frequency": q.cross_attention_frequency, "image_text_hidden_size": q.image_text_hidden_size,
        "max_position_embeddings": q.max_position_embeddings, "layer_norm_eps": q.layer_norm_eps, "dropout": q.dropout,
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
    put(&folder.join("config.json"), &config)?;
    Ok(Summary { files: vec![file.to_owned()], tensors: targets.len(), left_out })
}
