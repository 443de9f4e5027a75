//! Places of the pictures of a split.

use crate::dataset::hex;
use crate::kept_sums::{Entry, KeptSums, Sum};
use crate::lists::paths::{find, is_absolute};
use crate::{Alpha, DataError, Item, PictureFile, Pictures, decode_as};
use image::RgbImage;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Bytes read at both ends of a picture for a fingerprint.
const END: u64 = 4096;

/// The items from `first` on have their pictures in `folders`.
pub(super) struct Part {
    pub first: usize,
    pub folders: Vec<PathBuf>,
    pub skip_missing: bool,
}

/// Pictures in folders, by part of the split.
#[derive(Default)]
pub struct PublishedPictures {
    /// At least one, the first from item 0 on.
    pub(super) parts: Vec<Part>,
    /// Digests of an earlier start.
    pub(super) kept: Option<KeptSums>,
}

impl PublishedPictures {
    /// Returns the part that item `index` was read in.
    pub(super) fn part(&self, index: usize) -> &Part {
        let after = self.parts.partition_point(|part| part.first <= index);
        &self.parts[after.max(1) - 1]
    }

    /// Finds the file of item `index` that is called `name`, in the first folder that has it.
    pub(super) fn find(&self, index: usize, name: &str) -> Result<PathBuf, DataError> {
        let folders = &self.part(index).folders;
        folders.iter().find_map(|folder| find(folder, name)).ok_or_else(|| {
            let tried: Vec<String> =
                folders.iter().map(|folder| folder.display().to_string()).collect();
            let place = if is_absolute(name) {
                String::new()
            } else {
                format!(" in {}", tried.join(" or "))
            };
            DataError::missing(
                format!("there is no picture {name}{place}"),
                "put it there, or change `folders` of the split",
            )
        })
    }

    pub(super) fn decode(
        &self,
        index: usize,
        name: &str,
        alpha: Alpha,
    ) -> Result<RgbImage, DataError> {
        decode_as(self.find(index, name)?, alpha)
    }
}

impl Pictures for PublishedPictures {
    fn image(&self, index: usize, item: &Item, alpha: Alpha) -> Result<RgbImage, DataError> {
        self.decode(index, &item.depicts, alpha)
    }

    fn file(&self, index: usize, item: &Item) -> Result<Option<PictureFile>, DataError> {
        PictureFile::read(&self.find(index, &item.depicts)?).map(Some)
    }

    /// Hashes the texts and, of each picture, its length and its first and last 4096 bytes: not all
    /// bytes, which may be 20 GB. A picture that is not there counts as empty.
    fn fingerprint(&self, _: &str, items: &[Item]) -> String {
        let one = |at: usize| -> Sum {
            let item = &items[at];
            let seen = self.find(at, &item.depicts).ok().and_then(|path| ends(&path).ok());
            let mut hash = Sha256::new();
            hash.update(format!("{}\n", item.digest_text()));
            hash.update(seen.unwrap_or_default());
            hash.finalize().into()
        };
        let entry = |at: usize| {
            let item = &items[at];
            Entry { path: self.find(at, &item.depicts).ok(), text: item.digest_text() }
        };
        let sums: Vec<Sum> = match &self.kept {
            Some(kept) => {
                kept.of(items.len(), entry, |at| Some(one(at))).into_iter().flatten().collect()
            }
            None => (0..items.len()).into_par_iter().map(one).collect(),
        };
        hex(&Sha256::digest(sums.as_flattened()))
    }
}

/// Reads the header of a picture only, so a file that is cut off later passes.
pub(super) fn header(path: &Path) -> Result<(), DataError> {
    crate::image::measure(path).map(drop)
}

/// Reads the length of a file and the bytes at its two ends. Published data sets have up to tens of
/// gigabytes of pictures; an edited picture has another length or another end.
fn ends(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut bytes = length.to_le_bytes().to_vec();
    Read::by_ref(&mut file).take(END).read_to_end(&mut bytes)?;
    if length > END {
        file.seek(SeekFrom::Start((length - END).max(END)))?;
        file.take(END).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}
