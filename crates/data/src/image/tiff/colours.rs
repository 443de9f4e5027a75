//! Samples of a TIFF to a picture, as Pillow converts them.

use super::Raster;
use super::layout::{Extra, Layout, Photometry};
use crate::image::alpha::inks_to_rgb;
use crate::image::ifd::Ifd;
use crate::image::palette::Palette;
use ::image::{DynamicImage, GrayAlphaImage, GrayImage, ImageBuffer, RgbImage, RgbaImage};

/// Makes the picture of samples.
pub fn picture(raster: Raster, layout: &Layout, ifd: &Ifd) -> Result<DynamicImage, String> {
    let (width, height) = (layout.width, layout.height);
    let made = match raster {
        Raster::Rgb(rgb) => RgbImage::from_raw(width, height, rgb).map(Into::into),
        Raster::Eight(samples) => return eight(samples, layout, ifd),
        Raster::Sixteen(samples) => match (layout.photometry, layout.extra) {
            (Photometry::WhiteIsZero | Photometry::BlackIsZero, None) => {
                // Pillow does not turn 16-bit greys around whose 0 is white.
                ImageBuffer::from_raw(width, height, samples).map(DynamicImage::ImageLuma16)
            }
            (Photometry::Rgb, None) => {
                ImageBuffer::from_raw(width, height, samples).map(DynamicImage::ImageRgb16)
            }
            (Photometry::Rgb, Some(Extra::Alpha)) if layout.samples == 4 => {
                ImageBuffer::from_raw(width, height, samples).map(DynamicImage::ImageRgba16)
            }
            (Photometry::Rgb | Photometry::Inks, _) => {
                return eight(
                    samples.iter().map(|sample| (sample >> 8) as u8).collect(),
                    layout,
                    ifd,
                );
            }
            (other, _) => return Err(format!("{other:?} of 16 bits is not read in a TIFF")),
        },
    };
    made.ok_or_else(unfit)
}

fn unfit() -> String {
    "pixels and size do not fit".to_owned()
}

/// Makes the picture of samples of up to eight bits.
fn eight(samples: Vec<u8>, layout: &Layout, ifd: &Ifd) -> Result<DynamicImage, String> {
    let (width, height, each) = (layout.width, layout.height, layout.samples);
    let made = match (layout.photometry, layout.extra) {
        (Photometry::WhiteIsZero | Photometry::BlackIsZero, _) => return greys(samples, layout),
        (Photometry::Palette, _) => return indexed(&samples, layout, ifd),
        (other, _) if layout.bits < 8 => {
            return Err(format!("{other:?} of {} bits is not read in a TIFF", layout.bits));
        }
        (Photometry::Rgb, None) => RgbImage::from_raw(width, height, samples).map(Into::into),
        (Photometry::Rgb, Some(Extra::Other)) => {
            let rgb = samples.chunks_exact(each).flat_map(|p| [p[0], p[1], p[2]]).collect();
            RgbImage::from_raw(width, height, rgb).map(Into::into)
        }
        (Photometry::Rgb, extra) => {
            let colour = |p: &[u8]| {
                let [r, g, b] = [p[0], p[1], p[2]].map(|colour| plain(colour, p[3], extra));
                [r, g, b, p[3]]
            };
            let rgba = samples.chunks_exact(each).flat_map(colour).collect();
            RgbaImage::from_raw(width, height, rgba).map(Into::into)
        }
        (Photometry::Inks, _) => {
            let rgb = samples
                .chunks_exact(each)
                .flat_map(|p| inks_to_rgb([p[0], p[1], p[2], p[3]]))
                .collect();
            RgbImage::from_raw(width, height, rgb).map(Into::into)
        }
        (other, _) => {
            return Err(format!("{other:?} of {} bits is not read in a TIFF", layout.bits));
        }
    };
    made.ok_or_else(unfit)
}

/// Makes a picture of greys, scaled to 255.
fn greys(mut samples: Vec<u8>, layout: &Layout) -> Result<DynamicImage, String> {
    let (width, height, each) = (layout.width, layout.height, layout.samples);
    if layout.bits > 8 || layout.bits < 8 && each > 1 {
        return Err(format!("{each} samples of {} bits are not read in a TIFF", layout.bits));
    }
    // 255, 85, 17 or 1.
    let scale = 255 / (0xff >> (8 - layout.bits));
    let flip = if layout.photometry == Photometry::WhiteIsZero { 255 } else { 0 };
    samples.chunks_exact_mut(each).for_each(|pixel| pixel[0] = (pixel[0] * scale) ^ flip);
    let made = match layout.extra {
        None => GrayImage::from_raw(width, height, samples).map(Into::into),
        Some(Extra::Other) => {
            GrayImage::from_raw(width, height, samples.into_iter().step_by(each).collect())
                .map(Into::into)
        }
        extra => {
            let two =
                samples.chunks_exact(each).flat_map(|p| [plain(p[0], p[1], extra), p[1]]).collect();
            GrayAlphaImage::from_raw(width, height, two).map(Into::into)
        }
    };
    made.ok_or_else(unfit)
}

/// Makes a picture of indices of a palette.
fn indexed(samples: &[u8], layout: &Layout, ifd: &Ifd) -> Result<DynamicImage, String> {
    let (width, height, each) = (layout.width, layout.height, layout.samples);
    let palette = palette(ifd, layout.bits)?;
    let made = match layout.extra {
        Some(Extra::Alpha) => {
            let colour = |p: &[u8]| {
                let [r, g, b] = palette.rgb(p[0]);
                [r, g, b, p[1]]
            };
            RgbaImage::from_raw(
                width,
                height,
                samples.chunks_exact(each).flat_map(colour).collect(),
            )
            .map(Into::into)
        }
        _ => {
            let rgb = samples.iter().step_by(each).flat_map(|index| palette.rgb(*index)).collect();
            RgbImage::from_raw(width, height, rgb).map(Into::into)
        }
    };
    made.ok_or_else(unfit)
}

/// Takes alpha out of a colour that was multiplied with it.
fn plain(colour: u8, alpha: u8, extra: Option<Extra>) -> u8 {
    match (extra, alpha) {
        (Some(Extra::Premultiplied), 0) => 0,
        (Some(Extra::Premultiplied), 1..=254) => {
            (u32::from(colour) * 255 / u32::from(alpha)).min(255) as u8
        }
        _ => colour,
    }
}

/// Reads the palette: all reds, then all greens, then all blues, of 16 bits.
fn palette(ifd: &Ifd, bits: usize) -> Result<Palette, String> {
    if bits > 8 {
        return Err("a palette of more than 256 colours is not read in a TIFF".to_owned());
    }
    let values = ifd.unsigneds(320).ok_or("its palette is missing")?;
    let third = values.len() / 3;
    let upper = |value: u64| (value >> 8) as u8;
    Ok(Palette::of_rgb(
        (0..third)
            .map(|i| [upper(values[i]), upper(values[third + i]), upper(values[2 * third + i])]),
    ))
}
