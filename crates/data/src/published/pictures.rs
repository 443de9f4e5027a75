//! Where the pictures of a split are.

use crate::lists::paths::{find, is_absolute};
use crate::{Alpha, DataError, decode_as};
use image::RgbImage;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// What is read at both ends of a picture for a fingerprint.
const END: u64 = 4096;

/// The items from `first` on have their pictures in `folders`.
pub(super) struct Part {
    pub first: usize,
    pub folders: Vec<PathBuf>,
    pub skip_missing: bool,
}

/// The folders of all items, by part.
#[derive(Default)]
pub(super) struct Pictures {
    /// At least one, the first from item 0 on.
    pub parts: Vec<Part>,
}

impl Pictures {
    /// The part that item `index` was read in.
    pub fn part(&self, index: usize) -> &Part {
        let after = self.parts.partition_point(|part| part.first <= index);
        &self.parts[after.max(1) - 1]
    }

    /// The file of item `index` that is called `name`, in the first folder that has it.
    pub fn find(&self, index: usize, name: &str) -> Result<PathBuf, DataError> {
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

    pub fn decode(&self, index: usize, name: &str, alpha: Alpha) -> Result<RgbImage, DataError> {
        decode_as(self.find(index, name)?, alpha)
    }
}

/// Reads the header of a picture only, so a file that is cut off later passes.
pub(super) fn header(path: &Path) -> Result<(), DataError> {
    crate::image::measure(path).map(drop)
}

/// The length of a file and the bytes at its two ends. Published data sets have up to tens of
/// gigabytes of pictures; an edited picture has another length or another end.
pub(super) fn ends(path: &Path) -> std::io::Result<Vec<u8>> {
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
