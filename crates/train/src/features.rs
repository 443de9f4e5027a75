//! Features of the frozen encoder, computed once and kept on disk.
//!
//! A row is the encoder's output for one image in half precision, `[tokens, width]`. Rows are read where they are needed, from a
//! mapped file, so memory does not grow with the data set and runs side by side share what they read; those of the next step
//! are read and widened on a thread while the present step is computed. Whatever is encoded outside of the cache goes through the same rounding
//! ([`round_like_cache`]), so that cached and live features are equal.

use crate::checkpoint::write_atomic;
use crate::mapped::Mapped;
use crate::{Progress, TrainError};
use burn::tensor::{Device, Tensor, TensorData};
use half::f16;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use toolkit_core::{AnyVision, VisionShape, params};
use toolkit_data::{Dataset, Preprocess};
use toolkit_registry::sha256_hex;

/// Cached features of every image of a data set.
#[derive(Debug)]
pub struct Features {
    mapped: Arc<Mapped>,
    path: PathBuf,
    header: Header,
    ahead: Mutex<Option<Ahead>>,
}

/// Rows on their way.
#[derive(Debug)]
struct Ahead {
    rows: Vec<usize>,
    values: JoinHandle<std::io::Result<Vec<f32>>>,
}

/// What the rows are; a cache whose header differs from what is asked for is another cache.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
struct Header {
    key: String,
    rows: usize,
    tokens: usize,
    width: usize,
    bytes: u64,
}

/// Images that are encoded at a time.
pub const ENCODED_TOGETHER: usize = 32;

/// The name of a cache: everything that its values depend on.
#[must_use]
pub fn cache_key(encoder_sha256: &str, preprocess: &Preprocess, dataset: &dyn Dataset) -> String {
    let text = format!("features-1 {encoder_sha256} {} {}", preprocess.key(), dataset.fingerprint());
    sha256_hex(text.as_bytes())[..16].to_owned()
}

/// Rounds features as the cache does.
#[must_use]
pub fn round_like_cache(features: Tensor<3>) -> Tensor<3> {
    let (shape, device) = (features.dims(), features.device());
    let values: Vec<f32> = params::floats(features).into_iter().map(|x| f16::from_f32(x).to_f32()).collect();
    Tensor::from_data(TensorData::new(values, shape), &device)
}

/// Pixels of `rows` as `[rows, 3, size, size]`, decoded on all cores of the current pool.
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
    let images = images.map_err(|e: toolkit_data::DataError| TrainError::from(e))?;
    let side = preprocess.size as usize;
    Ok(Tensor::from_data(TensorData::new(images.concat(), [rows.len(), 3, side, side]), device))
}

impl Features {
    /// Opens the cache in `dir` or computes it with `encoder` (on a plain device). The file appears whole or not at all.
    ///
    /// # Errors
    /// An unreadable image, or whatever the file system says.
    #[expect(clippy::too_many_arguments, reason = "each is something the cache depends on")]
    pub fn open(
        dir: &Path,
        key: &str,
        encoder: &dyn Fn() -> Result<AnyVision, TrainError>,
        shape: &VisionShape,
        preprocess: &Preprocess,
        dataset: &dyn Dataset,
        device: &Device,
        progress: &dyn Progress,
    ) -> Result<Self, TrainError> {
        let (path, header_path) = (dir.join(format!("{key}.f16")), dir.join(format!("{key}.json")));
        let bytes = (dataset.len() * shape.tokens * shape.width * 2) as u64;
        let header =
            Header { key: key.to_owned(), rows: dataset.len(), tokens: shape.tokens, width: shape.width, bytes };
        let held: Option<Header> = std::fs::read(&header_path).ok().and_then(|json| serde_json::from_slice(&json).ok());
        let on_disk = std::fs::metadata(&path).map(|m| m.len()).unwrap_or(0);
        if held.as_ref() != Some(&header) || on_disk != bytes {
            let encoder = encoder()?;
            fill(dir, &path, |out| Self::compute(out, &path, &encoder, preprocess, dataset, device, progress))?;
            header.save(&header_path)?;
        }
        Self::at(path, header)
    }

    fn at(path: PathBuf, header: Header) -> Result<Self, TrainError> {
        let mapped = Mapped::open(&path, header.tokens * header.width).map_err(|e| TrainError::io(&path, &e))?;
        Ok(Self { mapped: Arc::new(mapped), path, header, ahead: Mutex::default() })
    }

    /// Writes given features as a cache called `key` in `dir`: `shape` is `[rows, tokens, width]`, each of `rows` has
    /// `tokens * width` values.
    ///
    /// # Errors
    /// Rows of another number or length, or whatever the file system says.
    pub fn write(
        dir: &Path,
        key: &str,
        shape: [usize; 3],
        rows: impl Iterator<Item = Vec<f32>>,
    ) -> Result<Self, TrainError> {
        let [count, tokens, width] = shape;
        let (path, header_path) = (dir.join(format!("{key}.f16")), dir.join(format!("{key}.json")));
        fill(dir, &path, |out| {
            let mut written = 0;
            for row in rows {
                if row.len() != tokens * width {
                    let what = format!("row {written} has {} values, wanted {tokens} x {width}", row.len());
                    return Err(TrainError::Other(format!("{what}; hint: all images have as many tokens")));
                }
                out.write_all(&halves(&row)).map_err(|e| TrainError::io(&path, &e))?;
                written += 1;
            }
            if written != count {
                return Err(TrainError::Other(format!(
                    "{written} rows are not {count}; hint: give one for each image"
                )));
            }
            Ok(())
        })?;
        let header =
            Header { key: key.to_owned(), rows: count, tokens, width, bytes: (count * tokens * width * 2) as u64 };
        header.save(&header_path)?;
        Self::at(path, header)
    }

    fn compute(
        out: &mut File,
        path: &Path,
        encoder: &AnyVision,
        preprocess: &Preprocess,
        dataset: &dyn Dataset,
        device: &Device,
        progress: &dyn Progress,
    ) -> Result<(), TrainError> {
        progress.start(0, dataset.len() as u64);
        let all: Vec<usize> = (0..dataset.len()).collect();
        for rows in all.chunks(ENCODED_TOGETHER) {
            let features = encoder.encode(pixels(dataset, rows, preprocess, device)?);
            let values = params::floats(features);
            if let Some(at) = values.iter().position(|&x| !f16::from_f32(x).is_finite()) {
                let (image, value) = (&dataset.item(rows[at * rows.len() / values.len()]).id, values[at]);
                let hint = "hint: the cache holds half precision, up to 65504; look at the encoder's weights and preprocessing";
                return Err(TrainError::Other(format!("a feature of {image} is {value}; {hint}")));
            }
            out.write_all(&halves(&values)).map_err(|e| TrainError::io(path, &e))?;
            progress.advance(rows.len() as u64);
        }
        progress.finish();
        Ok(())
    }

    /// Number of images.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.header.rows
    }

    /// Begins to read `rows` on a thread, for the next [`Features::batch`] of the same rows.
    pub fn read_ahead(&self, rows: Vec<usize>) {
        let mapped = self.mapped.clone();
        let spawned = std::thread::Builder::new().name("features".to_owned()).spawn({
            let rows = rows.clone();
            move || mapped.read(&rows)
        });
        // Without a thread the rows are read when they are asked for.
        if let Ok(values) = spawned {
            *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) = Some(Ahead { rows, values });
        }
    }

    /// Features of `rows` as `[rows, tokens, width]`.
    ///
    /// # Errors
    /// If the cache file was cut while in use.
    pub fn batch(&self, rows: &[usize], device: &Device) -> Result<Tensor<3>, TrainError> {
        let ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner).take_if(|ahead| ahead.rows == rows);
        let values = match ahead.map(|ahead| ahead.values.join()) {
            Some(Ok(read)) => read,
            _ => self.mapped.read(rows),
        };
        let values = values.map_err(|e| TrainError::io(&self.path, &e))?;
        Ok(Tensor::from_data(TensorData::new(values, [rows.len(), self.header.tokens, self.header.width]), device))
    }
}

impl Header {
    fn save(&self, path: &Path) -> Result<(), TrainError> {
        let json = serde_json::to_vec(self).map_err(|e| TrainError::Other(e.to_string()))?;
        write_atomic(path, &json)
    }
}

/// Lets `write` fill a file in `dir` that gets its name `path` when it is whole.
fn fill(dir: &Path, path: &Path, write: impl FnOnce(&mut File) -> Result<(), TrainError>) -> Result<(), TrainError> {
    let fail = |e: std::io::Error| TrainError::io(path, &e);
    std::fs::create_dir_all(dir).map_err(|e| TrainError::io(dir, &e))?;
    let mut out = crate::checkpoint::temporary(dir).map_err(fail)?;
    write(out.as_file_mut())?;
    out.as_file().sync_data().map_err(fail)?;
    out.persist(path).map_err(|e| fail(e.error))?;
    Ok(())
}

/// Values in half precision, little-endian.
fn halves(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|&x| f16::from_f32(x).to_le_bytes()).collect()
}
