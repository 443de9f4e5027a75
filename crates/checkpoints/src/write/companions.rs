//! Files next to the weights: tokenizer, processor, configuration.

use super::Written;
use crate::CheckpointError;
use crate::input::is_there;
use serde_json::{Value, json};
use std::path::Path;
use toolkit_data::{Fit, Preprocess};
use toolkit_system::files::write_bytes;

/// Files of a tokenizer that are copied as they are.
const TOKENIZER: [&str; 8] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "spiece.model",
];

/// Writes the tokenizer of the model, or copies the files of the folder that the model is from.
pub(super) fn tokenizer(model: &Written<'_>, folder: &Path) -> Result<(), CheckpointError> {
    if let Some(text) = &model.tokenizer {
        write_bytes(&folder.join("tokenizer.json"), text.as_bytes())?;
        let class = json!({
            "tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": false,
        });
        return put(&folder.join("tokenizer_config.json"), &class);
    }
    for file in TOKENIZER {
        let Some(from) = model.folder.as_ref().map(|folder| folder.join(file)) else { continue };
        if !is_there(&from)? {
            continue;
        }
        let bytes = toolkit_system::input::read(&from)
            .map_err(|error| CheckpointError::io("read", &from, error))?;
        write_bytes(&folder.join(file), &bytes)?;
    }
    Ok(())
}

/// Makes the `preprocessor_config.json` in the form of transformers 4, which 5 reads too.
pub(super) fn preprocessor(made: &Preprocess) -> Value {
    let side = |side: u32| json!({"height": side, "width": side});
    let size = match made.fit {
        Fit::Stretch => side(made.size),
        Fit::StretchThenCrop(before) => side(before),
        Fit::ShortestEdgeThenCrop(edge) => json!({"shortest_edge": edge}),
    };
    let mut all = json!({
        "do_convert_rgb": true, "do_normalize": true, "do_rescale": true, "do_resize": true,
        "image_mean": made.mean.map(shortest), "image_std": made.std.map(shortest),
        "image_processor_type": "BlipImageProcessor", "processor_class": "Blip2Processor",
        "resample": 3, "rescale_factor": 1.0 / 255.0, "size": size,
    });
    if made.fit != Fit::Stretch {
        // BLIP's class of transformers 4 has no crop.
        all["image_processor_type"] = json!("CLIPImageProcessor");
        all["do_center_crop"] = json!(true);
        all["crop_size"] = side(made.size);
    }
    all
}

/// Returns an `f32` as the shortest decimal that rounds to it.
fn shortest(x: f32) -> f64 {
    x.to_string().parse().unwrap_or(f64::from(x))
}

/// Writes JSON.
pub(super) fn put(path: &Path, value: &Value) -> Result<(), CheckpointError> {
    Ok(write_bytes(path, &text(value))?)
}

/// Writes JSON, unless the file is there already. Returns `true` if it was written.
pub(super) fn put_if_absent(path: &Path, value: &Value) -> Result<bool, CheckpointError> {
    if path.exists() { Ok(false) } else { put(path, value).map(|()| true) }
}

/// Refuses to replace a file with another content: it belongs to another checkpoint.
pub(super) fn check_own(path: &Path, value: &Value) -> Result<(), CheckpointError> {
    if std::fs::symlink_metadata(path).is_err()
        || toolkit_system::input::read(path).is_ok_and(|bytes| bytes == text(value))
    {
        return Ok(());
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let what = format!("there is a `{name}` of another checkpoint, which this one would replace");
    Err(CheckpointError::new(
        what,
        path.display().to_string(),
        "name a file in a folder of its own",
    ))
}

fn text(value: &Value) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).unwrap_or_default();
    text.push(b'\n');
    text
}
