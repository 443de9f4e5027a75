//! Keys of processor files: those that are read, and those that change no pixel.

use crate::CheckpointError;
use crate::json::Json;
use serde_json::Value;

/// Keys that [`super::read`] looks at.
const READ: [&str; 17] = [
    "image_processor_type",
    "feature_extractor_type",
    "do_convert_rgb",
    "do_resize",
    "size",
    "default_to_square",
    "resample",
    "do_center_crop",
    "crop_size",
    "do_rescale",
    "rescale_factor",
    "do_normalize",
    "image_mean",
    "image_std",
    "do_pad",
    "pad_size",
    "use_square_size",
];

/// Keys of the library's own, about classes, batches and layouts.
const HARMLESS: [&str; 15] = [
    "processor_class",
    "auto_map",
    "model_input_names",
    "return_tensors",
    "data_format",
    "input_data_format",
    "device",
    "disable_grouping",
    "image_seq_length",
    "num_query_tokens",
    "transformers_version",
    "use_fast",
    "_valid_processor_keys",
    "_name_or_path",
    "_commit_hash",
];

/// Refuses the first key that is neither read nor harmless. A key that is null, or a step that is
/// off, is harmless.
pub(super) fn check(json: &Json) -> Result<(), CheckpointError> {
    for (key, value) in json.value().as_object().into_iter().flatten() {
        let known = READ.contains(&key.as_str()) || HARMLESS.contains(&key.as_str());
        let nothing = value.is_null() || (key.starts_with("do_") && *value == Value::Bool(false));
        if !known && !nothing {
            return Err(json
                .wrong(key, format!("is {}: what it does to pixels is not built", short(value))));
        }
    }
    Ok(())
}

/// Shortens a value for an error.
fn short(value: &Value) -> String {
    const MOST: usize = 40;
    let text = value.to_string();
    if text.chars().count() <= MOST {
        text
    } else {
        text.chars().take(MOST).chain("..".chars()).collect()
    }
}
