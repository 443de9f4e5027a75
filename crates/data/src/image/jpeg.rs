//! JPEG pixels to the byte as libjpeg-turbo decodes them, and the size that their header names.

use image::{DynamicImage, GrayImage, RgbImage};
use libjpeg_turbo_rs::PixelFormat;

/// Reads width and height from the first frame header (SOF), walking over the segments before it.
pub(super) fn size(bytes: &[u8]) -> Result<(u32, u32), String> {
    let cut = || "the file ends before the size of the picture is named".to_owned();
    let mut at = 2;
    loop {
        // Any bytes may lie before a marker, and a marker may be preceded by fill bytes.
        while *bytes.get(at).ok_or_else(cut)? != 0xff {
            at += 1;
        }
        while *bytes.get(at).ok_or_else(cut)? == 0xff {
            at += 1;
        }
        let marker = bytes[at];
        at += 1;
        // These stand alone, without a length.
        if matches!(marker, 0x00 | 0x01 | 0xd0..=0xd8) {
            continue;
        }
        let two = |at: usize| bytes.get(at..at + 2).map(|b| u16::from_be_bytes([b[0], b[1]])).ok_or_else(cut);
        if matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc) {
            return Ok((u32::from(two(at + 5)?), u32::from(two(at + 3)?)));
        }
        if matches!(marker, 0xd9 | 0xda) {
            return Err("there is no frame header".to_owned());
        }
        at += usize::from(two(at)?.max(2));
    }
}

/// A JPEG's pixels to the byte as libjpeg-turbo decodes them, which Pillow and so every published processor does; other
/// decoders round the transform and the upsampling of colours differently.
pub(super) fn decode(bytes: &[u8]) -> Result<DynamicImage, String> {
    let picture = libjpeg_turbo_rs::decompress(bytes).map_err(|error| error.to_string())?;
    let (width, height) = (picture.width as u32, picture.height as u32);
    let rgb = match picture.pixel_format {
        PixelFormat::Rgb => picture.data,
        PixelFormat::Grayscale => {
            let grey = GrayImage::from_raw(width, height, picture.data).ok_or("pixels and size do not fit")?;
            return Ok(DynamicImage::ImageLuma8(grey));
        }
        // Inks are stored upside down, as Adobe does.
        PixelFormat::Cmyk => {
            picture.data.chunks_exact(4).flat_map(|ink| ink_to_rgb([ink[0], ink[1], ink[2], ink[3]])).collect()
        }
        other => return Err(format!("pixels are {other:?}")),
    };
    Ok(DynamicImage::ImageRgb8(RgbImage::from_raw(width, height, rgb).ok_or("pixels and size do not fit")?))
}

/// Pillow's conversion of inks, given as what is left of the paper's white, to RGB.
fn ink_to_rgb([c, m, y, k]: [u8; 4]) -> [u8; 3] {
    [c, m, y].map(|left| {
        // `white - ink * white / 255`, rounded as Pillow rounds.
        let product = u32::from(255 - left) * u32::from(k) + 128;
        k.saturating_sub((((product >> 8) + product) >> 8) as u8)
    })
}
