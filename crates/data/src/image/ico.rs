//! Icons: the largest picture of a file.

use super::alpha::Alpha;
use super::bytes::{array, le16, le32};
use super::{bmp, png};
use ::image::DynamicImage;

/// First bytes of every icon.
pub(super) const MAGIC: &[u8] = &[0, 0, 1, 0];

/// Finds the picture to read: the largest one, and of several the one of fewest bits a pixel, as
/// Pillow does.
fn largest(bytes: &[u8]) -> Result<&[u8], String> {
    let mut best: Option<(usize, std::cmp::Reverse<u16>, usize)> = None;
    for i in 0..usize::from(le16(bytes, 4)?) {
        let at = 6 + 16 * i;
        let [width, height, colours] = array(bytes, at)?;
        // 0 is 256.
        let side = |side: u8| if side == 0 { 256 } else { usize::from(side) };
        let bits = match (le16(bytes, at + 6)?, colours) {
            (0, 0) => 256,
            (0, colours) => u16::from(colours).next_power_of_two().trailing_zeros() as u16,
            (bits, _) => bits,
        };
        let found = (side(width) * side(height), std::cmp::Reverse(bits), at);
        if best.is_none_or(|best| (found.0, found.1) > (best.0, best.1)) {
            best = Some(found);
        }
    }
    let (_, _, at) = best.ok_or("there is no picture in it")?;
    let offset = le32(bytes, at + 12)? as usize;
    bytes.get(offset..).ok_or_else(|| "the file is cut off: its picture is missing".to_owned())
}

/// Reads the size of the largest picture.
pub(super) fn size(bytes: &[u8]) -> Result<(u32, u32), String> {
    let picture = largest(bytes)?;
    if picture.starts_with(png::MAGIC) { png::size(picture) } else { bmp::icon_size(picture) }
}

/// Decodes the largest picture.
pub(super) fn decode(bytes: &[u8], alpha: Alpha) -> Result<DynamicImage, String> {
    let picture = largest(bytes)?;
    if picture.starts_with(png::MAGIC) {
        png::decode(picture, alpha)
    } else {
        bmp::decode_icon(picture)
    }
}
