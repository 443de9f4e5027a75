//! Colours with transparency, of 16 bits or of inks to RGB.

use image::{DynamicImage, Rgb, RgbImage};

/// Treatment of transparency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alpha {
    /// The picture is laid on white.
    OnWhite,
    /// Colours are taken as they are stored, as Pillow's `convert("RGB")` does, and so every
    /// published processor: what lies under a transparent pixel, often black, becomes visible.
    Drop,
}

impl Alpha {
    /// Returns the picture in RGB.
    pub(super) fn apply(self, picture: DynamicImage) -> RgbImage {
        match self {
            Self::OnWhite => on_white(picture),
            Self::Drop => as_pillow(picture),
        }
    }
}

/// Colours as Pillow's `convert("RGB")` makes them. It keeps the upper byte of 16-bit colours; its
/// 16-bit grey without alpha (mode `I;16`) is cut off at 255, not scaled down.
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
        DynamicImage::ImageRgb16(p) => {
            RgbImage::from_fn(width, height, |x, y| Rgb(p.get_pixel(x, y).0.map(upper)))
        }
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
        let lay =
            |v: u8| ((u32::from(v) * u32::from(a) + 255 * (255 - u32::from(a)) + 127) / 255) as u8;
        Rgb([lay(r), lay(g), lay(b)])
    })
}

/// Converts inks to RGB as Pillow's `convert` does.
pub(super) fn inks_to_rgb([c, m, y, k]: [u8; 4]) -> [u8; 3] {
    let white = 255 - k;
    [c, m, y].map(|ink| {
        // `white - ink * white / 255`, rounded as Pillow rounds.
        let product = u32::from(ink) * u32::from(white) + 128;
        white.saturating_sub((((product >> 8) + product) >> 8) as u8)
    })
}
