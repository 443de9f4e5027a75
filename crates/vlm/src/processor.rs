//! Preparation of pictures for one model.

use image::RgbImage;
use std::path::Path;
use toolkit_data::{Alpha, DataError, Preprocess, decode_as};

/// The steps from a picture file to the pixels of one model.
#[derive(Clone, Debug, PartialEq)]
pub struct Processor {
    /// Resizing and normalising.
    pub preprocess: Preprocess,
    /// Treatment of transparency.
    pub alpha: Alpha,
    /// Remark to log about the origin of the settings, where it is not plain.
    pub note: Option<String>,
}

impl Processor {
    /// Creates the processor of a run, whose data lay transparency on white.
    #[must_use]
    pub fn of_run(preprocess: Preprocess) -> Self {
        Self { preprocess, alpha: Alpha::OnWhite, note: None }
    }

    /// Creates the processor of a published checkpoint, which drops transparency as Pillow does.
    #[must_use]
    pub fn published(preprocess: Preprocess, note: Option<String>) -> Self {
        Self { preprocess, alpha: Alpha::Drop, note }
    }

    /// Reads a picture file as this model sees it: upright, three channels.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn picture(&self, path: &Path) -> Result<RgbImage, DataError> {
        decode_as(path, self.alpha)
    }

    /// Returns the pixels `[3, size, size]` of a picture file.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn pixels(&self, path: &Path) -> Result<Vec<f32>, DataError> {
        Ok(self.preprocess.apply(&self.picture(path)?))
    }
}
