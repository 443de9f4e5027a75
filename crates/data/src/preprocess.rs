//! From pixels to the numbers a vision encoder takes.

use crate::resize::resize;
use image::RgbImage;

/// Resize to a square and normalise by channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Preprocess {
    /// Side of the square.
    pub size: u32,
    /// Mean of each channel on the scale 0 to 1.
    pub mean: [f32; 3],
    /// Standard deviation of each channel on that scale.
    pub std: [f32; 3],
}

impl Preprocess {
    /// `[3, size, size]` normalised values, channel by channel. A picture of another size is resized to exactly
    /// `(size, size)` as Pillow's antialiased bicubic does, to 8-bit values as there. An empty picture gives the mean
    /// (all zeros): nothing can be resized from it.
    #[must_use]
    pub fn apply(&self, image: &RgbImage) -> Vec<f32> {
        let side = self.size as usize;
        let (width, height) = (image.width() as usize, image.height() as usize);
        if side * width * height == 0 {
            return vec![0.0; 3 * side * side];
        }
        let resized;
        let pixels: &[u8] = if (width, height) == (side, side) {
            image
        } else {
            resized = resize::<3>(image, (width, height), (side, side));
            &resized
        };
        let pixels = pixels.as_chunks::<3>().0;
        let mut out = Vec::with_capacity(3 * side * side);
        for channel in 0..3 {
            let (mean, std) = (self.mean[channel], self.std[channel]);
            // There are only so many values; two divisions each would cost more than looking them up.
            let table: [f32; 256] = std::array::from_fn(|v| (v as f32 / 255.0 - mean) / std);
            out.extend(pixels.iter().map(|pixel| table[usize::from(pixel[channel])]));
        }
        out
    }
}
