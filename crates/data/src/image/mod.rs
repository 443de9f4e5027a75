//! Picture files to RGB pixels, the same to the byte as Pillow's.
//!
//! | file | what |
//! |---|---|
//! | `endings.rs` | which files are pictures, by their names |
//! | [`file_format`], `foreign.rs` | which format a file has, by its first bytes; which ones are not read |
//! | `limits.rs`, `guard.rs` | how large a picture may be; panics of decoders |
//! | `png.rs`, `jpeg/`, `webp.rs`, `avif/`, `gif.rs`, `bmp.rs`, `tiff/`, `ico.rs`, `pnm.rs` | a format's header and pixels |
//! | `turn.rs`, `ifd.rs` | how a picture is turned upright: EXIF and XMP |
//! | `alpha.rs`, `palette.rs`, `strips.rs` | colours to RGB |
//! | `resize.rs`, `passes.rs`, `lanes.rs`, `view.rs` | antialiased bicubic resize |
//! | `preprocess.rs` | resize and normalise for an encoder |
//! | `augment/` | random crops, flips and colours of training pictures |
//!
//! Every picture goes the same way: its format is detected, its header measured, its pixels decoded,
//! turned and converted. Files come from anywhere, so all of them may lie. Nothing is allocated
//! before its size was compared with the limit.

mod alpha;
mod augment;
mod avif;
mod bmp;
mod bytes;
mod endings;
mod file_format;
mod foreign;
mod gif;
mod guard;
mod ico;
mod ifd;
mod jpeg;
mod lanes;
mod limits;
mod lzw;
mod palette;
mod passes;
mod png;
mod pnm;
mod preprocess;
mod refusal;
mod resize;
mod strips;
mod tiff;
mod turn;
mod view;
mod webp;

use crate::DataError;
use ::image::RgbImage;
use file_format::FileFormat;
use refusal::Refusal;
use std::fs::File;
use std::io::Read;
use std::path::Path;

pub use alpha::Alpha;
pub use augment::{Augment, AugmentDraw, CropBox, Operation, OperationName, RandAugment};
pub use endings::{is_picture, unread_picture};
pub use limits::{check_most_pixels, most_pixels, set_most_pixels};
pub use preprocess::{Fit, Preprocess};
pub use resize::resize;

/// Bytes at the beginning of a file in which most have their size.
const HEAD: u64 = 1 << 16;

/// Reads a picture file (its format detected from its content, not its name), turns it upright as its
/// EXIF or XMP data say and lays it on white where it is transparent. Of an animation the first
/// picture is read.
///
/// # Errors
/// If the file cannot be read or decoded, or has more pixels than [`most_pixels`].
pub fn decode(path: impl AsRef<Path>) -> Result<RgbImage, DataError> {
    decode_as(path, Alpha::OnWhite)
}

/// Reads a picture file like [`decode`], with a choice of what becomes of transparency.
///
/// # Errors
/// As [`decode`].
pub fn decode_as(path: impl AsRef<Path>, alpha: Alpha) -> Result<RgbImage, DataError> {
    let path = path.as_ref();
    let mut bytes = Vec::new();
    open(path)?
        .read_to_end(&mut bytes)
        .map_err(|source| DataError::Read { path: path.to_owned(), source })?;
    pixels(&bytes, path, alpha, u64::MAX)
}

/// Decodes the bytes of a picture file like [`decode`]; `path` is only named in errors.
///
/// # Errors
/// If the bytes cannot be decoded.
pub fn decode_bytes(bytes: &[u8], path: &Path) -> Result<RgbImage, DataError> {
    pixels(bytes, path, Alpha::OnWhite, u64::MAX)
}

/// Decodes bytes like [`decode_bytes`], with a choice of what becomes of transparency.
pub(crate) fn decode_bytes_as(
    bytes: &[u8],
    path: &Path,
    alpha: Alpha,
) -> Result<RgbImage, DataError> {
    pixels(bytes, path, alpha, u64::MAX)
}

/// Decodes bytes like [`decode_bytes`], with a limit below the one for all pictures.
pub(crate) fn decode_within(bytes: &[u8], path: &Path, most: u64) -> Result<RgbImage, DataError> {
    pixels(bytes, path, Alpha::OnWhite, most)
}

/// Reads width and height from the header of a file, and compares them with the limit.
pub(crate) fn measure(path: &Path) -> Result<(u32, u32), DataError> {
    let read = |source| DataError::Read { path: path.to_owned(), source };
    let mut file = open(path)?;
    let mut bytes = Vec::new();
    Read::by_ref(&mut file).take(HEAD).read_to_end(&mut bytes).map_err(read)?;
    let size = |bytes: &[u8]| {
        guard::guarded(|| {
            let (width, height) = FileFormat::of(bytes)?.size(bytes)?;
            limits::check(width, height, limits::limit()?)?;
            Ok((width, height))
        })
    };
    let found = match size(&bytes) {
        // Long blocks may lie before the size.
        Err(_) if bytes.len() as u64 == HEAD => {
            file.read_to_end(&mut bytes).map_err(read)?;
            size(&bytes)
        }
        found => found,
    };
    found.map_err(|refusal| refused(refusal, path))
}

/// Opens a file; a pipe or a device, which could go on for ever, is an error.
fn open(path: &Path) -> Result<File, DataError> {
    toolkit_system::input::open(path)
        .map_err(|source| DataError::Read { path: path.to_owned(), source })
}

fn pixels(bytes: &[u8], path: &Path, alpha: Alpha, most: u64) -> Result<RgbImage, DataError> {
    let work = || {
        let most = limits::limit()?.min(most);
        let kind = FileFormat::of(bytes)?;
        if kind == FileFormat::Tiff && endings::is_raw(path) {
            return Err(foreign::refuse(foreign::RAW));
        }
        let (width, height) = kind.size(bytes)?;
        limits::check(width, height, most)?;
        let turn = kind.turn(bytes);
        let mut picture = kind.decode(bytes, alpha, most)?;
        if (picture.width(), picture.height()) != (width, height) {
            let found = format!("{} x {}", picture.width(), picture.height());
            return Err(Refusal::new(format!(
                "its pixels are {found}, its header says {width} x {height}"
            )));
        }
        picture.apply_orientation(turn);
        Ok(alpha.apply(picture))
    };
    guard::guarded(work).map_err(|refusal| refused(refusal, path))
}

fn refused(Refusal { reason, hint }: Refusal, path: &Path) -> DataError {
    // Decoders may answer in several lines; an error here is one.
    let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    DataError::Decode { path: path.to_owned(), reason, hint }
}
