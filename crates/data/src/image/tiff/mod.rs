//! TIFF pictures: the first of a file, in strips or tiles.
//!
//! Greys of 1 to 16 bits, palettes, RGB, inks and YCbCr in JPEG; plain, LZW, Deflate, PackBits,
//! JPEG and CCITT fax.

mod colours;
mod fax;
mod layout;
mod unpack;

use super::ifd::Ifd;
use super::limits::check;
use super::refusal::Refusal;
use super::turn::{UPRIGHT, of_ifd, of_xmp};
use ::image::DynamicImage;
use ::image::metadata::Orientation;
use layout::Layout;

/// The tag with an XMP packet.
const XMP: u16 = 700;
/// The tag of the version of DNG, which only raw pictures have.
const DNG: u16 = 50_706;

fn directory(bytes: &[u8]) -> Result<Ifd<'_>, String> {
    Ifd::first(bytes).ok_or_else(|| "it is no TIFF beyond its first bytes".to_owned())
}

/// Reads the size of the first picture.
pub(super) fn size(bytes: &[u8]) -> Result<(u32, u32), String> {
    layout::size(&directory(bytes)?)
}

/// Reads the turn of the first picture.
pub(super) fn turn(bytes: &[u8]) -> Orientation {
    let Some(ifd) = Ifd::first(bytes) else { return UPRIGHT };
    of_ifd(&ifd).or_else(|| ifd.bytes(XMP).and_then(of_xmp)).unwrap_or(UPRIGHT)
}

/// Tells if the file is a raw picture: its first directory is a preview.
pub(super) fn is_raw(bytes: &[u8]) -> bool {
    Ifd::first(bytes).is_some_and(|ifd| ifd.has(DNG))
}

/// Samples of the whole picture, pixel by pixel.
pub(super) enum Raster {
    /// Up to eight bits, not scaled.
    Eight(Vec<u8>),
    /// Sixteen bits.
    Sixteen(Vec<u16>),
    /// Red, green and blue, from a JPEG.
    Rgb(Vec<u8>),
}

/// Decodes the first picture.
pub(super) fn decode(bytes: &[u8], most: u64) -> Result<DynamicImage, Refusal> {
    let ifd = directory(bytes)?;
    let layout = Layout::read(&ifd)?;
    // A strip or a tile may be larger than the picture.
    check(layout.part_width, layout.part_height, most)?;
    let raster = match layout.compression {
        layout::JPEG => unpack::jpegs(bytes, &ifd, &layout)?,
        _ => unpack::samples(bytes, &layout)?,
    };
    Ok(colours::picture(raster, &layout, &ifd)?)
}
