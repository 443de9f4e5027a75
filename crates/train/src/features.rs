//! Features of the frozen encoder, computed once and kept on disk.
//!
//! A row is the encoder's output for one image in half precision, `[tokens, width]`. Rows are read where they are
//! needed, so memory does not grow with the data set. Whatever is encoded outside of the cache goes through the same
//! rounding ([`round_like_cache`]), so that cached and live features are equal.

use crate::checkpoint::write_atomic;
use crate::{Progress, TrainError};
use burn::tensor::{Device, Tensor, TensorData};
use half::f16;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use toolkit_core::{AnyVision, VisionShape, params};
use toolkit_data::{Dataset, Preprocess};
use toolkit_registry::sha256_hex;

/// Cached features of every image of a data set.
#[derive(Debug)]
pub struct Features {
    file: File,
    path: PathBuf,
    header: Header,
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

const BATCH: usize = 32;

/// The name of a cache: everything that its values depend on.
#[must_use]
pub fn cache_key(encoder_sha256: &str, preprocess: &Preprocess, dataset: &dyn Dataset) -> String {
    let text = format!(
        "features-1 {encoder_sha256} {} {:?} {:?} {}",
        preprocess.size,
        preprocess.mean,
        preprocess.std,
        dataset.fingerprint()
    );
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
            Self::compute(dir, &path, &encoder()?, preprocess, dataset, device, progress)?;
            let json = serde_json::to_vec(&header).map_err(|e| TrainError::Other(e.to_string()))?;
            write_atomic(&header_path, &json)?;
        }
        let file = File::open(&path).map_err(|e| TrainError::io(&path, &e))?;
        Ok(Self { file, path, header })
    }

    fn compute(
        dir: &Path,
        path: &Path,
        encoder: &AnyVision,
        preprocess: &Preprocess,
        dataset: &dyn Dataset,
        device: &Device,
        progress: &dyn Progress,
    ) -> Result<(), TrainError> {
        std::fs::create_dir_all(dir).map_err(|e| TrainError::io(dir, &e))?;
        let mut out = crate::checkpoint::temporary(dir).map_err(|e| TrainError::io(path, &e))?;
        progress.start(0, dataset.len() as u64);
        let all: Vec<usize> = (0..dataset.len()).collect();
        for rows in all.chunks(BATCH) {
            let features = encoder.encode(pixels(dataset, rows, preprocess, device)?);
            let values = params::floats(features);
            if let Some(at) = values.iter().position(|&x| !f16::from_f32(x).is_finite()) {
                let (image, value) = (&dataset.item(rows[at * rows.len() / values.len()]).id, values[at]);
                let hint = "hint: the cache holds half precision, up to 65504; look at the encoder's weights and preprocessing";
                return Err(TrainError::Other(format!("a feature of {image} is {value}; {hint}")));
            }
            let bytes: Vec<u8> = values.into_iter().flat_map(|x| f16::from_f32(x).to_le_bytes()).collect();
            out.write_all(&bytes).map_err(|e| TrainError::io(path, &e))?;
            progress.advance(rows.len() as u64);
        }
        out.as_file().sync_data().map_err(|e| TrainError::io(path, &e))?;
        out.persist(path).map_err(|e| TrainError::io(path, &e.error))?;
        progress.finish();
        Ok(())
    }

    /// Number of images.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.header.rows
    }

    /// Features of `rows` as `[rows, tokens, width]`.
    ///
    /// # Errors
    /// If the cache file was removed or cut while in use.
    pub fn batch(&self, rows: &[usize], device: &Device) -> Result<Tensor<3>, TrainError> {
        let row_bytes = self.header.tokens * self.header.width * 2;
        let mut values = Vec::with_capacity(rows.len() * row_bytes / 2);
        let mut buffer = vec![0_u8; row_bytes];
        for &row in rows {
            self.file
                .read_exact_at(&mut buffer, (row * row_bytes) as u64)
                .map_err(|e| TrainError::io(&self.path, &e))?;
            values.extend(buffer.chunks_exact(2).map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32()));
        }
        Ok(Tensor::from_data(TensorData::new(values, [rows.len(), self.header.tokens, self.header.width]), device))
    }
}
