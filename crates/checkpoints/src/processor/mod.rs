//! Image processors of checkpoints, from the files next to the weights.
//!
//! transformers 4 writes `preprocessor_config.json`, 5 nests the same keys as `image_processor` in
//! `processor_config.json`. Where both are there, the nested one counts, as in 5.
//! `video_preprocessor_config.json` is for videos and is not read. Each setting is followed, or
//! refused with its key (`settings`).

mod keys;
mod settings;
mod sizes;

use crate::CheckpointError;
use crate::config::Config;
use crate::json::Json;
use std::path::Path;
use toolkit_data::Preprocess;
use toolkit_vlm::Processor;

/// Mean of OpenAI's CLIP, which BLIP-2 uses too.
pub const CLIP_MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
/// Standard deviation of OpenAI's CLIP.
pub const CLIP_STD: [f32; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];

const NEW: &str = "processor_config.json";
const OLD: &str = "preprocessor_config.json";

/// Reads the processor of a folder for an encoder of side `side` in pixels. Returns [`lavis`] if it
/// has none.
///
/// # Errors
/// If the file is broken, asks for pixels that are not built, or makes them of another side.
pub fn read(folder: &Path, side: usize) -> Result<Processor, CheckpointError> {
    let (new, old) = (folder.join(NEW), folder.join(OLD));
    let nested = match Json::read_if_there(&new)? {
        Some(json) => json.part("image_processor")?,
        None => None,
    };
    let of_old =
        || Json::read_if_there(&old)?.map(|json| settings::preprocess(&json, side)).transpose();
    let Some(nested) = nested else {
        let none = format!(
            "{}: there is no image processor; pixels are LAVIS's: {side} x {side}, CLIP's mean \
            and deviation",
            folder.display()
        );
        return Ok(match of_old()? {
            Some(preprocess) => Processor::published(preprocess, None),
            None => Processor::published(lavis(side), Some(none)),
        });
    };
    let preprocess = settings::preprocess(&nested, side)?;
    // An old file that cannot be read differs, too.
    let agree = of_old().is_ok_and(|old| old.is_none_or(|old| old == preprocess));
    let note = format!(
        "{}: `{OLD}` says otherwise; `image_processor` counts, as in transformers 5",
        new.display()
    );
    Ok(Processor::published(preprocess, (!agree).then_some(note)))
}

/// Reads the processor of a checkpoint's folder with its `config.json`, without weights.
///
/// # Errors
/// If there is no encoder in the configuration; as [`read`].
pub fn of_folder(folder: &Path) -> Result<Processor, CheckpointError> {
    let file = folder.join("config.json");
    let place = file.display().to_string();
    let Some(vision) = Config::read(&file)?.vision else {
        let hint = "name `vision_config` in it";
        return Err(CheckpointError::new(
            "the configuration has no encoder to make pixels for",
            place,
            hint,
        ));
    };
    let shape =
        vision.describe().map_err(|error| CheckpointError::new(error.what, place, error.hint))?;
    read(folder, shape.image[0])
}

/// Returns LAVIS's `blip_image_eval` at a size in pixels.
#[must_use]
pub fn lavis(size: usize) -> Preprocess {
    Preprocess::square(size as u32, CLIP_MEAN, CLIP_STD)
}
