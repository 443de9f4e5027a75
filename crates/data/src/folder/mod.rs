//! The `folder` data set: anyone's pictures.
//!
//! Pictures lie in a folder and its sub-folders. Captions are in a `.txt` file called as the
//! picture (one a line), or in a list of many pictures: `captions` or `metadata` as `.jsonl`,
//! `.json`, `.csv` or `.tsv`, in any of the folders. Only JSON and tables have questions.
//! Everything that is passed over is named in [`crate::Dataset::notes`].

mod beside;
mod check;
mod coco;
pub(crate) mod entry;
pub(crate) mod list_rows;
pub(crate) mod lists;
mod load;
mod names;
pub(crate) mod names_of;
mod passed;
mod pictures;
mod walk;

pub use check::{FolderCheck, check_folder};
pub use pictures::pictures_below;

use crate::dataset::hex;
use crate::kept_sums::{Entry, KeptSums, Sum};
use crate::lists::fault::Strict;
use crate::{Alpha, DataError, Findings, Item, Items, Opening, PictureFile, Pictures, decode_as};
use ::image::RgbImage;
use load::{Loaded, load};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Pictures in files.
pub struct FolderPictures {
    paths: Vec<PathBuf>,
    /// Digests of an earlier start.
    kept: Option<KeptSums>,
}

/// Pictures of a folder with their texts.
pub type Folder = Items<FolderPictures>;

/// Creates the error of a folder without pictures. `passed` names the files that are not read, with
/// `; ` in front of each.
fn no_picture(dir: &Path, passed: &str) -> DataError {
    let hint = "put pictures there, with captions in same-named .txt files or in captions.jsonl";
    DataError::new(format_args!("no picture in {}{passed}", dir.display()), hint)
}

impl Folder {
    /// Reads the texts of a folder; pictures are decoded on demand. A picture without caption is
    /// allowed.
    ///
    /// # Errors
    /// If the folder or a text cannot be read, holds no picture, or a row is wrong (the error names
    /// file and line).
    pub fn open(dir: &Path) -> Result<Self, DataError> {
        let mut strict = Strict::default();
        let loaded = load(dir, &mut strict)?;
        if loaded.items.is_empty() {
            return Err(no_picture(dir, &loaded.passed));
        }
        Ok(Self::of(dir, loaded, strict.left_out.findings))
    }

    /// Opens a folder like [`Folder::open`], and keeps the digests of its pictures, so that a later
    /// start opens only those that changed.
    ///
    /// # Errors
    /// As [`Folder::open`].
    pub fn open_kept(dir: &Path, opening: &Opening) -> Result<Self, DataError> {
        let kept = KeptSums::new(&opening.indexes, &format!("folder {}", dir.display()));
        let data = Self::open(dir)?;
        Ok(data.with_pictures(|pictures| FolderPictures { kept: Some(kept), ..pictures }))
    }

    fn of(dir: &Path, loaded: Loaded, left_out: Findings) -> Self {
        let name = dir
            .file_name()
            .map_or_else(|| dir.display().to_string(), |n| n.to_string_lossy().into_owned());
        let pictures = FolderPictures { paths: loaded.paths, kept: None };
        Self::new(format!("folder:{name}"), loaded.items, pictures)
            .with_notes(left_out, loaded.remarks)
    }
}

impl Pictures for FolderPictures {
    fn image(&self, index: usize, _: &Item, alpha: Alpha) -> Result<RgbImage, DataError> {
        decode_as(&self.paths[index], alpha)
    }

    fn file(&self, index: usize, _: &Item) -> Result<Option<PictureFile>, DataError> {
        PictureFile::read(&self.paths[index]).map(Some)
    }

    fn fingerprint(&self, _: &str, items: &[Item]) -> String {
        // Bytes, not sizes and times: a cache of features must notice an edited picture.
        let sum = |at: usize| -> Option<Sum> {
            let bytes = toolkit_system::input::read(&self.paths[at]).ok()?;
            Some(Sha256::digest(bytes).into())
        };
        let count = self.paths.len();
        let entry = |at: usize| Entry { path: Some(self.paths[at].clone()), text: String::new() };
        let files: Vec<Option<Sum>> = match &self.kept {
            Some(kept) => kept.of(count, entry, sum),
            None => (0..count).into_par_iter().map(sum).collect(),
        };
        let mut hash = Sha256::new();
        for (file, item) in files.iter().zip(items) {
            // Of a picture that cannot be read there is nothing.
            let file = file.as_ref().map_or(&[][..], |sum| &sum[..]);
            hash.update((file.len() as u64).to_le_bytes());
            hash.update(file);
            hash.update(format!("{}\n", item.digest_text()));
        }
        hex(&hash.finalize())
    }
}
