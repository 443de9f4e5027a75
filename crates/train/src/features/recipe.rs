//! Recipe of a cache of features: decoding, encoding, rounding, and the treatment of pictures that
//! cannot be read.

use super::file::Part;
use super::header::{GROUP, Header};
use crate::TrainError;
use crate::source::Loader;
use burn::tensor::{Device, Tensor, TensorData};
use half::f16;
use rayon::prelude::*;
use std::io::ErrorKind;
use std::ops::Range;
use std::sync::Arc;
use toolkit_core::{AnyVision, VisionShape, params};
use toolkit_data::{DataError, Dataset, Preprocess};
use toolkit_system::problem::Problem;
use toolkit_system::progress::Progress;

/// The inputs of a cache.
pub struct Recipe<'a> {
    /// Name of the cache, by [`cache_key`](crate::features::cache_key).
    pub key: &'a str,
    /// Builds the encoder on a device without autodiff.
    pub encoder: &'a dyn Fn() -> Result<AnyVision, TrainError>,
    /// Tokens and width of the encoder.
    pub shape: &'a VisionShape,
    /// Preparation of pixels.
    pub preprocess: &'a Preprocess,
    /// Images.
    pub dataset: &'a Arc<dyn Dataset>,
    /// Device of the encoder.
    pub device: &'a Device,
    /// Largest number of images that may be unreadable.
    pub max_damaged: usize,
}

/// Number of groups that are decoded while one is encoded.
const GROUPS_AHEAD: usize = 2;

/// Bytes of the rows of a group of images, and the images that cannot be read.
pub(crate) type Group = (Vec<u8>, Vec<(usize, DataError)>);

impl Recipe<'_> {
    /// Encodes a group of images.
    ///
    /// The rows of unreadable images are zero. The other rows do not depend on them.
    ///
    /// # Errors
    /// If a picture cannot be read for a reason outside its file, or a feature exceeds half
    /// precision.
    pub(crate) fn group(
        &self,
        encoder: &AnyVision,
        rows: Range<usize>,
    ) -> Result<Group, TrainError> {
        let decode = |row| Ok(self.preprocess.apply(&self.dataset.image(row)?));
        let decoded = rows.clone().into_par_iter().map(decode).collect();
        self.encode(encoder, rows, decoded)
    }

    /// Encodes a group of images that are decoded already.
    fn encode(
        &self,
        encoder: &AnyVision,
        rows: Range<usize>,
        decoded: Vec<Result<Vec<f32>, DataError>>,
    ) -> Result<Group, TrainError> {
        let side = self.preprocess.size as usize;
        let (mut images, mut unreadable) = (Vec::with_capacity(rows.len()), Vec::new());
        for (row, image) in rows.clone().zip(decoded) {
            match image {
                Ok(image) => images.push(image),
                Err(error) if is_unreadable(&error) => {
                    unreadable.push((row, error));
                    images.push(vec![0.0; 3 * side * side]);
                }
                Err(error) => return Err(error.into()),
            }
        }
        let pixels = TensorData::new(images.concat(), [rows.len(), 3, side, side]);
        let mut values = params::floats(encoder.encode(Tensor::from_data(pixels, self.device)));
        let count = values.len() / rows.len().max(1);
        for (row, _) in &unreadable {
            values[(row - rows.start) * count..(row - rows.start + 1) * count].fill(0.0);
        }
        if let Some(at) = values.iter().position(|&x| !f16::from_f32(x).is_finite()) {
            let (image, value) = (&self.dataset.item(rows.start + at / count).id, values[at]);
            let hint = "the cache holds half precision, up to 65504; look at the encoder's \
                weights and preprocessing";
            return Err(Problem::new(format!("a feature of {image} is {value}")).hint(hint).into());
        }
        Ok((halves(&values), unreadable))
    }

    /// Computes the missing rows of a cache.
    ///
    /// # Errors
    /// If too many images are unreadable, and errors of the file system.
    pub(crate) fn fill(
        &self,
        mut part: Part,
        progress: &dyn Progress,
        note: &dyn Fn(&str),
    ) -> Result<Header, TrainError> {
        let all = self.dataset.len();
        progress.start(part.rows() as u64, all as u64);
        if part.rows() < all {
            let (encoder, loader) = ((self.encoder)()?, self.loader()?);
            while part.rows() < all {
                let group = |start: usize| start..(start + GROUP).min(all);
                let rows = group(part.rows());
                for start in rows.start..(rows.end + GROUPS_AHEAD * GROUP).min(all) {
                    if start % GROUP == 0 && !loader.is_announced(start as u64) {
                        loader.announce(start as u64, group(start).collect());
                    }
                }
                let (decoded, _) = loader.take(rows.start as u64)?;
                let (bytes, unreadable) = self.encode(&encoder, rows.clone(), decoded)?;
                let before = part.unreadable().len();
                let first_too_many = unreadable.get(self.max_damaged.saturating_sub(before));
                self.allow(before + unreadable.len(), first_too_many.map(|(_, error)| error))?;
                for (_, error) in &unreadable {
                    note(&format!("left out: {}", error.problem().without_hint()));
                }
                let unreadable: Vec<usize> = unreadable.into_iter().map(|(row, _)| row).collect();
                part.append(&bytes, &unreadable)?;
                progress.advance(rows.len() as u64);
            }
        }
        let header = part.finish()?;
        progress.finish();
        Ok(header)
    }

    /// Starts threads that decode images while others are encoded.
    fn loader(&self) -> Result<Loader<usize, Result<Vec<f32>, DataError>>, TrainError> {
        let (dataset, preprocess) = (self.dataset.clone(), *self.preprocess);
        Loader::new(0, move |&row: &usize| Ok(preprocess.apply(&dataset.image(row)?)))
    }

    /// Checks the number of unreadable images; `error` is that of the first one too many.
    ///
    /// # Errors
    /// If there are more than [`Recipe::max_damaged`].
    pub(crate) fn allow(&self, count: usize, error: Option<&DataError>) -> Result<(), TrainError> {
        if count <= self.max_damaged {
            return Ok(());
        }
        let what = error.map_or_else(
            || format!("{count} images of `{}` cannot be read", self.dataset.name()),
            |error| error.problem().without_hint().to_string(),
        );
        let limit = match self.max_damaged {
            0 => format!(
                "or leave it out: `[data] max_damaged = {count}` allows for so many in each split"
            ),
            most => format!("so far there are {count}, and `[data] max_damaged` is {most}"),
        };
        let hint = format!("replace or remove the picture, {limit}");
        Err(Problem::new(what).hint(hint).into())
    }
}

/// Decodes the images of `rows` to pixels `[rows, 3, size, size]`, on all cores of the current
/// pool.
///
/// # Errors
/// The first image that cannot be read, by name.
pub fn pixels(
    dataset: &dyn Dataset,
    rows: &[usize],
    preprocess: &Preprocess,
    device: &Device,
) -> Result<Tensor<4>, TrainError> {
    let images: Result<Vec<Vec<f32>>, _> =
        rows.par_iter().map(|&row| Ok(preprocess.apply(&dataset.image(row)?))).collect();
    let images = images.map_err(|e: DataError| TrainError::from(e))?;
    let side = preprocess.size as usize;
    Ok(Tensor::from_data(TensorData::new(images.concat(), [rows.len(), 3, side, side]), device))
}

/// Returns `true` if the fault is the image's, and not a lack of memory, open files or network.
pub(crate) fn is_unreadable(error: &DataError) -> bool {
    let passing = match error {
        DataError::Read { source, .. } => {
            let kinds = [
                ErrorKind::OutOfMemory,
                ErrorKind::Interrupted,
                ErrorKind::TimedOut,
                ErrorKind::StaleNetworkFileHandle,
            ];
            // ENFILE and EMFILE.
            kinds.contains(&source.kind()) || matches!(source.raw_os_error(), Some(23 | 24))
        }
        _ => false,
    };
    error.is_unreadable() && !passing
}

/// Converts values to half precision, little-endian.
pub(crate) fn halves(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|&x| f16::from_f32(x).to_le_bytes()).collect()
}
