//! The formats that are read, detected by their first bytes.

use super::alpha::Alpha;
use super::refusal::Refusal;
use super::turn::{UPRIGHT, in_jpeg};
use super::{avif, bmp, foreign, gif, ico, jpeg, png, pnm, tiff, webp};
use ::image::DynamicImage;
use ::image::metadata::Orientation;

/// A format that is read. Names of files are not asked: many lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileFormat {
    Png,
    Jpeg,
    Webp,
    Gif,
    Bmp,
    Tiff,
    Ico,
    Pnm,
    Avif,
}

impl FileFormat {
    /// Tells the format, or refuses by name what is not read.
    pub fn of(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.is_empty() {
            return Err("the file is empty".into());
        }
        if let Some(name) = foreign::by_magic(bytes) {
            return Err(foreign::refuse(name));
        }
        match bytes {
            _ if bytes.starts_with(png::MAGIC) => Ok(Self::Png),
            [0xff, 0xd8, 0xff, ..] => Ok(Self::Jpeg),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Ok(Self::Webp),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Ok(Self::Gif),
            [b'B', b'M', ..] => Ok(Self::Bmp),
            [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Ok(Self::Tiff),
            _ if foreign::is_avif(bytes) => Ok(Self::Avif),
            _ if bytes.starts_with(ico::MAGIC) => Ok(Self::Ico),
            _ if pnm::is_magic(bytes) => Ok(Self::Pnm),
            _ => Err(foreign::unknown(bytes)),
        }
    }

    /// Reads width and height from the header.
    pub fn size(self, bytes: &[u8]) -> Result<(u32, u32), String> {
        match self {
            Self::Png => png::size(bytes),
            Self::Jpeg => jpeg::size(bytes),
            Self::Webp => webp::size(bytes),
            Self::Gif => gif::size(bytes),
            Self::Bmp => bmp::size(bytes),
            Self::Tiff => tiff::size(bytes),
            Self::Ico => ico::size(bytes),
            Self::Pnm => pnm::size(bytes),
            Self::Avif => avif::size(bytes),
        }
    }

    /// Reads how to turn the picture upright.
    pub fn turn(self, bytes: &[u8]) -> Orientation {
        match self {
            Self::Png => png::blocks(bytes).turn(),
            Self::Jpeg => in_jpeg(bytes).turn(),
            Self::Webp => webp::blocks(bytes).turn(),
            Self::Tiff => tiff::turn(bytes),
            Self::Avif => avif::turn(bytes),
            Self::Gif | Self::Bmp | Self::Ico | Self::Pnm => UPRIGHT,
        }
    }

    /// Decodes the pixels, `most` at most. What becomes of transparency tells how some are stored.
    pub fn decode(self, bytes: &[u8], alpha: Alpha, most: u64) -> Result<DynamicImage, Refusal> {
        Ok(match self {
            Self::Png => png::decode(bytes, alpha)?,
            Self::Jpeg => jpeg::decode(bytes)?,
            Self::Webp => webp::decode(bytes, most)?,
            Self::Gif => gif::decode(bytes)?,
            Self::Bmp => bmp::decode(bytes)?,
            Self::Tiff => tiff::decode(bytes, most)?,
            Self::Ico => ico::decode(bytes, alpha)?,
            Self::Pnm => pnm::decode(bytes)?,
            Self::Avif => avif::decode(bytes, most)?,
        })
    }
}
