//! Picture files to RGB pixels.

mod jpeg;

use crate::DataError;
use image::{DynamicImage, ImageDecoder, ImageReader, Rgb, RgbImage};
use std::io::Cursor;
use std::path::Path;

/// Reads a png, jpeg or webp file (told by its content, not its name), turns it upright as its EXIF data says and lays
/// it on white where it is transparent.
///
/// # Errors
/// If the file cannot be read or decoded.
pub fn decode(path: impl AsRef<Path>) -> Result<RgbImage, DataError> {
    decode_as(path, Alpha::OnWhite)
}

/// What becomes of transparency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alpha {
    /// The picture is laid on white.
    OnWhite,
    /// Colours are taken as they are stored, as Pillow's `convert("RGB")` does, and so every published processor: what
    /// lies under a transparent pixel, often black, becomes visible.
    Drop,
}

/// As [`decode`], with a choice of what becomes of transparency.
///
/// # Errors
/// As [`decode`].
pub fn decode_as(path: impl AsRef<Path>, alpha: Alpha) -> Result<RgbImage, DataError> {
    let path = path.as_ref();
    let bytes = std::fs::read(path).map_err(|source| DataError::Read { path: path.to_owned(), source })?;
    decode_limited(&bytes, path, alpha, u64::MAX)
}

/// As [`decode`], for the bytes of a file; `path` is only named in errors.
///
/// # Errors
/// If the bytes cannot be decoded.
pub fn decode_bytes(bytes: &[u8], path: &Path) -> Result<RgbImage, DataError> {
    decode_limited(bytes, path, Alpha::OnWhite, u64::MAX)
}

/// As [`decode_bytes`], but a picture of more than `most` pixels is an error, told by its header before anything is
/// decoded.
pub(crate) fn decode_within(bytes: &[u8], path: &Path, most: u64) -> Result<RgbImage, DataError> {
    decode_limited(bytes, path, Alpha::OnWhite, most)
}

fn decode_limited(bytes: &[u8], path: &Path, alpha: Alpha, most: u64) -> Result<RgbImage, DataError> {
    let fail = |reason: String| DataError::Decode {
        path: path.to_owned(),
        // Decoders may answer in several lines; an error here is one.
        reason: reason.split_whitespace().collect::<Vec<_>>().join(" "),
    };
    if bytes.is_empty() {
        return Err(fail("the file is empty".to_owned()));
    }
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|error| fail(error.to_string()))?;
    let mut decoder = reader.into_decoder().map_err(|error| fail(error.to_string()))?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > most {
        return Err(fail(format!("{width} x {height} pixels are more than {most}")));
    }
    let orientation = decoder.orientation().map_err(|error| fail(error.to_string()))?;
    let mut picture = match bytes.starts_with(&[0xff, 0xd8]) {
        true => jpeg::decode(bytes).map_err(fail)?,
        false => DynamicImage::from_decoder(decoder).map_err(|error| fail(error.to_string()))?,
    };
    picture.apply_orientation(orientation);
    if picture.width() == 0 || picture.height() == 0 {
        return Err(fail("a side is 0 pixels long".to_owned()));
    }
    Ok(match alpha {
        Alpha::OnWhite => on_white(picture),
        Alpha::Drop => as_pillow(picture),
    })
}

/// Colours as Pillow's `convert("RGB")` makes them. It keeps the upper byte of 16-bit colours; its 16-bit grey without
/// alpha (mode `I;16`) is cut off at 255, not scaled down.
fn as_pillow(picture: DynamicImage) -> RgbImage {
    let (width, height) = (picture.width(), picture.height());
    let upper = |value: u16| (value >> 8) as u8;
    match picture {
        DynamicImage::ImageLuma16(p) => {
            RgbImage::from_fn(width, height, |x, y| Rgb([p.get_pixel(x, y).0[0].min(255) as u8; 3]))
        }
        DynamicImage::ImageLumaA16(p) => {
            RgbImage::from_fn(width, height, |x, y| Rgb([upper(p.get_pixel(x, y).0[0]); 3]))
        }
        DynamicImage::ImageRgb16(p) => RgbImage::from_fn(width, height, |x, y| Rgb(p.get_pixel(x, y).0.map(upper))),
        DynamicImage::ImageRgba16(p) => {
            let rgb = |[r, g, b, _]: [u16; 4]| Rgb([r, g, b].map(upper));
            RgbImage::from_fn(width, height, |x, y| rgb(p.get_pixel(x, y).0))
        }
        other => other.into_rgb8(),
    }
}

fn on_white(picture: DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.into_rgb8();
    }
    let picture = picture.into_rgba8();
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [r, g, b, a] = picture.get_pixel(x, y).0;
        let lay = |v: u8| ((u32::from(v) * u32::from(a) + 255 * (255 - u32::from(a)) + 127) / 255) as u8;
        Rgb([lay(r), lay(g), lay(b)])
    })
}
