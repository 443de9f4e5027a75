//! The `folder` data set: anyone's pictures.
//!
//! Pictures lie in a folder and its sub-folders. Captions are in a `.txt` file called as the
//! picture (one a line), or in a list of many pictures: `captions` or `metadata` as `.jsonl`,
//! `.json`, `.csv` or `.tsv`, in any of the folders. Only JSON and tables have questions.
//! Everything that is passed over is said ([`Dataset::notes`]).

mod beside;
mod check;
mod coco;
mod entry;
mod lists;
mod load;
mod names;
mod passed;
mod pictures;
mod walk;

pub use check::{FolderCheck, check_folder};
pub use pictures::pictures_below;

use crate::dataset::{at, hex};
use crate::lists::fault::Strict;
use crate::{Alpha, DataError, Dataset, Findings, Item, decode_as};
use ::image::RgbImage;
use load::{Loaded, load};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Pictures of a folder with their texts.
pub struct Folder {
    name: String,
    paths: Vec<PathBuf>,
    items: Vec<Item>,
    left_out: Findings,
    remarks: Vec<String>,
    /// Reads every file, so it is computed once.
    fingerprint: OnceLock<String>,
}

impl Folder {
    /// Reads the texts of a folder; pictures are decoded when asked for. A picture without caption
    /// is allowed.
    ///
    /// # Errors
    /// If the folder or a text cannot be read, holds no picture, or a row is wrong (the error names
    /// file and line).
    pub fn open(dir: &Path) -> Result<Self, DataError> {
        let mut strict = Strict::default();
        let loaded = load(dir, &mut strict)?;
        if loaded.items.is_empty() {
            return Err(DataError::Empty { path: dir.to_owned(), passed: loaded.passed });
        }
        Ok(Self::of(dir, loaded, strict.left_out.findings))
    }

    fn of(dir: &Path, loaded: Loaded, left_out: Findings) -> Self {
        let name = dir
            .file_name()
            .map_or_else(|| dir.display().to_string(), |n| n.to_string_lossy().into_owned());
        Self {
            name: format!("folder:{name}"),
            paths: loaded.paths,
            items: loaded.items,
            left_out,
            remarks: loaded.remarks,
            fingerprint: OnceLock::new(),
        }
    }

    fn digest(&self) -> String {
        // Bytes, not sizes and times: a cache of features must notice an edited picture.
        let files: Vec<Vec<u8>> = self
            .paths
            .par_iter()
            .map(|path| {
                toolkit_system::input::read(path)
                    .map(|bytes| Sha256::digest(bytes).to_vec())
                    .unwrap_or_default()
            })
            .collect();
        let mut hash = Sha256::new();
        for (file, item) in files.iter().zip(&self.items) {
            hash.update((file.len() as u64).to_le_bytes());
            hash.update(file);
            hash.update(format!("{item:?}\n"));
        }
        hex(&hash.finalize())
    }
}

impl Dataset for Folder {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> usize {
        self.items.len()
    }

    fn item(&self, index: usize) -> &Item {
        &self.items[index]
    }

    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        self.image_as(index, Alpha::OnWhite)
    }

    fn image_as(&self, index: usize, alpha: Alpha) -> Result<RgbImage, DataError> {
        decode_as(at(&self.paths, index, &self.name)?, alpha)
    }

    fn fingerprint(&self) -> String {
        self.fingerprint.get_or_init(|| self.digest()).clone()
    }

    fn left_out(&self) -> Findings {
        self.left_out.clone()
    }

    fn remarks(&self) -> Vec<String> {
        self.remarks.clone()
    }
}
