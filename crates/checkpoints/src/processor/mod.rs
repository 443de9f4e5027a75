//! Preparation of a checkpoint's pixels, by the files beside it.
//!
//! transformers 4 writes `preprocessor_config.json`, 5 nests the same keys as `image_processor` in
//! `processor_config.json`. Where both are there, the nested one counts, as in 5.
//! `video_preprocessor_config.json` is for videos and is not read. What a file asks for is done, or
//! refused by the name of its key (`read`).

mod keys;
mod read;
mod sizes;

use crate::CheckpointError;
use crate::config::Config;
use crate::json::Json;
use image::RgbImage;
use std::path::Path;
use toolkit_data::{Alpha, DataError, Preprocess, decode_as};

/// Mean of OpenAI's CLIP, which BLIP-2 uses too.
pub const CLIP_MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
/// Standard deviation of OpenAI's CLIP.
pub const CLIP_STD: [f32; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];

const NEW: &str = "processor_config.json";
const OLD: &str = "preprocessor_config.json";

/// The way from a picture file to the pixels of one model. All commands take it.
#[derive(Clone, Debug, PartialEq)]
pub struct Processor {
    /// Resizing and normalising.
    pub preprocess: Preprocess,
    /// Treatment of transparency.
    pub alpha: Alpha,
    /// Remark to log about where the settings are from, if that is not plain.
    pub note: Option<String>,
}

impl Processor {
    /// The processor of a run, whose data lay transparency on white.
    #[must_use]
    pub fn of_run(preprocess: Preprocess) -> Self {
        Self { preprocess, alpha: Alpha::OnWhite, note: None }
    }

    /// The processor of a published checkpoint, which drops transparency as Pillow does.
    #[must_use]
    pub fn published(preprocess: Preprocess, note: Option<String>) -> Self {
        Self { preprocess, alpha: Alpha::Drop, note }
    }

    /// Reads the processor of a folder for an encoder of side `side`; [`lavis`] if it has none.
    ///
    /// # Errors
    /// If the file is broken, asks for pixels that are not built, or makes them of another side.
    pub fn read(folder: &Path, side: usize) -> Result<Self, CheckpointError> {
        let (new, old) = (folder.join(NEW), folder.join(OLD));
        let nested = match Json::read_if_there(&new)? {
            Some(json) => json.part("image_processor")?,
            None => None,
        };
        let of_old =
            || Json::read_if_there(&old)?.map(|json| read::preprocess(&json, side)).transpose();
        let Some(nested) = nested else {
            let none = format!(
                "{}: there is no image processor; pixels are LAVIS's: {side} x {side}, CLIP's mean \
                and deviation",
                folder.display()
            );
            return Ok(match of_old()? {
                Some(preprocess) => Self::published(preprocess, None),
                None => Self::published(lavis(side), Some(none)),
            });
        };
        let preprocess = read::preprocess(&nested, side)?;
        // An old file that cannot be read says something else, too.
        let agree = of_old().is_ok_and(|old| old.is_none_or(|old| old == preprocess));
        let note = format!(
            "{}: `{OLD}` says otherwise; `image_processor` counts, as in transformers 5",
            new.display()
        );
        Ok(Self::published(preprocess, (!agree).then_some(note)))
    }

    /// Reads the processor of a checkpoint's folder by its `config.json` alone, without weights.
    ///
    /// # Errors
    /// If there is no encoder in the configuration; as [`Processor::read`].
    pub fn of_folder(folder: &Path) -> Result<Self, CheckpointError> {
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
        let shape = vision
            .describe()
            .map_err(|error| CheckpointError::new(error.what, place, error.hint))?;
        Self::read(folder, shape.image[0])
    }

    /// Reads a picture file as this model sees it: upright, three channels.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn picture(&self, path: &Path) -> Result<RgbImage, DataError> {
        decode_as(path, self.alpha)
    }

    /// Makes the pixels `[3, size, size]` of a picture file.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn pixels(&self, path: &Path) -> Result<Vec<f32>, DataError> {
        Ok(self.preprocess.apply(&self.picture(path)?))
    }
}

/// LAVIS's `blip_image_eval` at a size.
#[must_use]
pub fn lavis(size: usize) -> Preprocess {
    Preprocess::square(size as u32, CLIP_MEAN, CLIP_STD)
}
