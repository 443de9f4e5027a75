//! Pictures of packages, read on demand.

use super::rcc;
use crate::dataset::hex;
use crate::image::decode_within;
use crate::{DataError, Item};
use image::RgbImage;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// More pixels than this are not decoded: packages hold a few pictures that would take gigabytes.
pub(crate) const MOST_PIXELS: u64 = 20_000_000;

/// The SHA-256 of a picture file.
pub(crate) type Sum = [u8; 32];

/// A picture that is read when it is asked for.
#[derive(Clone, Debug)]
pub(crate) enum Picture {
    /// A file.
    File(PathBuf),
    /// A part of a Qt resource file.
    Packed { file: Arc<Path>, entry: rcc::Entry },
    /// Bytes of this program, with a name for errors.
    Built { bytes: &'static [u8], name: &'static str },
}

impl Picture {
    /// Returns the name of the picture in errors.
    fn path(&self) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
            Self::Packed { file, entry } => file.join(&entry.path),
            Self::Built { name, .. } => PathBuf::from(name),
        }
    }

    /// Reads the bytes of the picture file.
    pub(crate) fn bytes(&self) -> Result<Cow<'static, [u8]>, DataError> {
        match self {
            Self::File(path) => {
                let bytes = std::fs::read(path)
                    .map_err(|source| DataError::Read { path: path.clone(), source })?;
                Ok(Cow::Owned(bytes))
            }
            Self::Packed { file, entry } => {
                let fail = |source| DataError::Read { path: file.to_path_buf(), source };
                let mut open = File::open(file).map_err(fail)?;
                open.seek(SeekFrom::Start(entry.at as u64)).map_err(fail)?;
                // Not `vec![0; len]`: the file may have been cut since its table was read.
                let mut bytes = Vec::new();
                open.take(entry.len as u64).read_to_end(&mut bytes).map_err(fail)?;
                let bytes = rcc::unpack(&bytes, entry.packed)
                    .map_err(|what| rcc::error(&self.path(), &what))?;
                Ok(Cow::Owned(bytes))
            }
            Self::Built { bytes, .. } => Ok(Cow::Borrowed(bytes)),
        }
    }

    /// Decodes the pixels, on white where the picture is transparent.
    pub(crate) fn decode(&self) -> Result<RgbImage, DataError> {
        decode_within(&self.bytes()?, &self.path(), MOST_PIXELS)
    }
}

/// Computes the SHA-256 of the file of every picture.
///
/// # Errors
/// If one cannot be read.
pub(crate) fn sums(pictures: &[&Picture]) -> Result<Vec<Sum>, DataError> {
    pictures
        .par_iter()
        .map(|picture| picture.bytes().map(|bytes| Sha256::digest(bytes).into()))
        .collect()
}

/// Pictures of packages with the sums of their files.
pub(crate) struct PackagePictures {
    pub pictures: Vec<Picture>,
    pub sums: Vec<Sum>,
}

impl PackagePictures {
    /// Hashes the name of a data set, its texts and the bytes of its pictures, not their places.
    pub(crate) fn fingerprint(&self, name: &str, items: &[Item]) -> String {
        let mut hash = Sha256::new();
        hash.update(format!("{name}\n"));
        for (sum, item) in self.sums.iter().zip(items) {
            hash.update(sum);
            hash.update(format!("{}\n", item.digest_text()));
        }
        hex(&hash.finalize())
    }
}
