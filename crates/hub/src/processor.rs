//! `preprocessor_config.json`: how the checkpoint's pixels are made.

use crate::HubError;
use crate::json::Json;
use std::path::Path;
use toolkit_data::Preprocess;

/// Mean of OpenAI's CLIP, which BLIP-2 uses too.
pub const CLIP_MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
/// Standard deviation of OpenAI's CLIP.
pub const CLIP_STD: [f32; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];

/// LAVIS's `blip_image_eval` at a size.
#[must_use]
pub fn lavis(size: usize) -> Preprocess {
    Preprocess { size: size as u32, mean: CLIP_MEAN, std: CLIP_STD }
}

/// The processor of a folder; [`lavis`] at `size` if it has none.
///
/// # Errors
/// If the file is broken or asks for something else than resize, rescale by 1/255, normalise.
pub fn read(folder: &Path, size: usize) -> Result<Preprocess, HubError> {
    let Some(json) = Json::read_if_there(&folder.join("preprocessor_config.json"))? else { return Ok(lavis(size)) };
    for key in ["do_resize", "do_rescale", "do_normalize"] {
        if json.flag(key)? == Some(false) {
            return Err(json.wrong(key, "is false; BLIP-2's processors do all three"));
        }
    }
    if json.count("resample")?.is_some_and(|filter| filter != 3) {
        return Err(json.wrong("resample", "is not 3 (bicubic)"));
    }
    if json.number("rescale_factor")?.is_some_and(|factor| (factor * 255.0 - 1.0).abs() > 1e-9) {
        return Err(json.wrong("rescale_factor", "is not 1/255"));
    }
    let sides = json.object("size");
    let (height, width) = match json.value().get("size").and_then(serde_json::Value::as_u64) {
        Some(side) => (side as usize, side as usize),
        None => (sides.side("height")?.unwrap_or(size), sides.side("width")?.unwrap_or(size)),
    };
    if height != width {
        return Err(json.wrong("size", format!("is {height} x {width}; only squares are built")));
    }
    Ok(Preprocess {
        size: height as u32,
        mean: json.channels("image_mean")?.unwrap_or(CLIP_MEAN),
        std: json.channels("image_std")?.unwrap_or(CLIP_STD),
    })
}
