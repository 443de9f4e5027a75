//! Pictures of things cut out and scaled, ready to be laid on a canvas.

use crate::image::resize;
use image::{RgbImage, RgbaImage};

/// A square picture with premultiplied alpha.
pub(crate) struct Sprite {
    side: usize,
    pixels: Vec<u8>,
}

/// Returns the smallest rectangle with all visible pixels: `(x, y, width, height)`.
pub(crate) fn bounds(picture: &RgbaImage) -> (u32, u32, u32, u32) {
    let (mut x0, mut y0, mut x1, mut y1) = (u32::MAX, u32::MAX, 0, 0);
    for (x, y, _) in picture.enumerate_pixels().filter(|(_, _, pixel)| pixel[3] > 16) {
        (x0, y0, x1, y1) = (x0.min(x), y0.min(y), x1.max(x), y1.max(y));
    }
    if x0 > x1 {
        (0, 0, picture.width(), picture.height())
    } else {
        (x0, y0, x1 - x0 + 1, y1 - y0 + 1)
    }
}

impl Sprite {
    /// Scales the longer side of the visible part of `picture` to `side` and centres it on a
    /// square: things are drawn in very different sizes within their 72 pixels, and small ones
    /// would not be told apart.
    pub(crate) fn new(picture: &RgbaImage, side: usize) -> Self {
        let (x0, y0, width, height) = bounds(picture);
        let mut cut = Vec::with_capacity((width * height * 4) as usize);
        for y in y0..y0 + height {
            for x in x0..x0 + width {
                let [r, g, b, a] = picture.get_pixel(x, y).0;
                let times = |v: u8| ((u32::from(v) * u32::from(a) + 127) / 255) as u8;
                cut.extend([times(r), times(g), times(b), a]);
            }
        }
        let longest = width.max(height) as usize;
        let fit = |length: u32| ((length as usize * side + longest / 2) / longest).max(1);
        let (to_width, to_height) = (fit(width), fit(height));
        let scaled = resize::<4>(&cut, (width as usize, height as usize), (to_width, to_height));
        let (left, top) = ((side - to_width) / 2, (side - to_height) / 2);
        let mut pixels = vec![0; side * side * 4];
        for (y, row) in scaled.chunks_exact(to_width * 4).enumerate() {
            let at = ((top + y) * side + left) * 4;
            pixels[at..at + row.len()].copy_from_slice(row);
        }
        Self { side, pixels }
    }

    /// Lays the sprite on a canvas with its top left corner at `(x, y)`; it must lie within.
    pub(crate) fn draw(&self, canvas: &mut RgbImage, x: usize, y: usize) {
        let width = canvas.width() as usize;
        let raw: &mut [u8] = canvas;
        for (line, row) in self.pixels.chunks_exact(self.side * 4).enumerate() {
            let at = ((y + line) * width + x) * 3;
            let under = raw[at..at + self.side * 3].chunks_exact_mut(3);
            for (to, from) in under.zip(row.chunks_exact(4)) {
                let through = 255 - u32::from(from[3]);
                for (to, &from) in to.iter_mut().zip(from) {
                    *to = (u32::from(from) + (u32::from(*to) * through + 127) / 255).min(255) as u8;
                }
            }
        }
    }
}
