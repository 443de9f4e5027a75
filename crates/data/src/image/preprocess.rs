//! From pixels to the numbers a vision encoder takes.

use super::augment::{Augment, AugmentDraw, CropBox};
use super::resize::{resize, resize_window};
use super::view::View;
use image::RgbImage;
use std::borrow::Cow;
use std::ops::Range;
use toolkit_seed::Stream;

/// The part of a picture that becomes the encoder's square, and its proportions there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fit {
    /// The whole picture; proportions are lost.
    #[default]
    Stretch,
    /// The middle, after all of it was stretched to a square of this side.
    StretchThenCrop(u32),
    /// The middle, after the shorter edge was made this long; proportions are kept.
    ShortestEdgeThenCrop(u32),
}

/// Resize to a square and normalise by channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Preprocess {
    /// Side of the square.
    pub size: u32,
    /// The way from a picture to the square.
    pub fit: Fit,
    /// Mean of each channel on the scale 0 to 1.
    pub mean: [f32; 3],
    /// Standard deviation of each channel on that scale.
    pub std: [f32; 3],
}

impl Preprocess {
    /// Stretches whole pictures to a square of side `size`.
    #[must_use]
    pub const fn square(size: u32, mean: [f32; 3], std: [f32; 3]) -> Self {
        Self { size, fit: Fit::Stretch, mean, std }
    }

    /// Returns a text of everything that the numbers depend on, for names of caches.
    #[must_use]
    pub fn key(&self) -> String {
        let stretch = format!("{} {:?} {:?}", self.size, self.mean, self.std);
        // Stretching is older than its name: caches of it keep theirs.
        if self.fit == Fit::Stretch { stretch } else { format!("{stretch} {:?}", self.fit) }
    }

    /// Returns `[3, size, size]` normalised values, channel by channel. Resizing is Pillow's
    /// antialiased bicubic, to 8-bit values as there. An empty picture gives the mean (all zeros):
    /// nothing can be resized from it.
    #[must_use]
    pub fn apply(&self, image: &RgbImage) -> Vec<f32> {
        self.square_of(image).map_or_else(|| self.nothing(), |square| self.normalised(&square))
    }

    /// Returns what [`Preprocess::apply`] does of an augmented picture. A crop takes the place of
    /// `fit`; without any augmentation the two are the same.
    #[must_use]
    pub fn apply_augmented(
        &self,
        image: &RgbImage,
        augment: &Augment,
        draws: &mut Stream,
    ) -> Vec<f32> {
        let (width, height) = image.dimensions();
        if image.is_empty() {
            return self.nothing();
        }
        self.apply_drawn(image, &augment.draw((width, height), draws))
    }

    /// Augments with values that were drawn before, as [`Preprocess::apply_augmented`].
    #[must_use]
    pub fn apply_drawn(&self, image: &RgbImage, drawn: &AugmentDraw) -> Vec<f32> {
        let square = match drawn.crop {
            Some(part) => self.resized_part(image, part),
            None => self.square_of(image),
        };
        let Some(mut square) = square else { return self.nothing() };
        if drawn.flip || !drawn.operations.is_empty() {
            drawn.finish(square.to_mut(), self.size as usize);
        }
        self.normalised(&square)
    }

    /// Returns the values of no picture: the mean.
    fn nothing(&self) -> Vec<f32> {
        vec![0.0; 3 * (self.size * self.size) as usize]
    }

    fn normalised(&self, square: &[u8]) -> Vec<f32> {
        let pixels = square.as_chunks::<3>().0;
        let mut out = Vec::with_capacity(3 * pixels.len());
        for channel in 0..3 {
            let (mean, std) = (self.mean[channel], self.std[channel]);
            // There are only so many values; two divisions each would cost more than looking them
            // up.
            let table: [f32; 256] = std::array::from_fn(|v| (v as f32 / 255.0 - mean) / std);
            out.extend(pixels.iter().map(|pixel| table[usize::from(pixel[channel])]));
        }
        out
    }

    /// Returns the square that the encoder sees, before it is normalised; black for an empty
    /// picture.
    #[must_use]
    pub fn seen(&self, image: &RgbImage) -> RgbImage {
        let pixels = self.square_of(image).map(Cow::into_owned);
        let whole = pixels.and_then(|pixels| RgbImage::from_raw(self.size, self.size, pixels));
        whole.unwrap_or_else(|| RgbImage::new(self.size, self.size))
    }

    /// Resizes a part of the picture to the square.
    fn resized_part<'a>(&self, image: &'a RgbImage, part: CropBox) -> Option<Cow<'a, [u8]>> {
        let side = self.size as usize;
        if side == 0 || image.is_empty() {
            return None;
        }
        let part = part.within(image.dimensions());
        let [left, top, width, height] =
            [part.left, part.top, part.width, part.height].map(|value| value as usize);
        let part = whole(image).part(3 * left..3 * (left + width), top..top + height);
        Some(resize_window::<3>(part, (side, side), (0..side, 0..side)).into())
    }

    fn square_of<'a>(&self, image: &'a RgbImage) -> Option<Cow<'a, [u8]>> {
        let side = self.size as usize;
        let (width, height) = (image.width() as usize, image.height() as usize);
        let resized = self.resized(width, height).filter(|_| side > 0)?;
        Some(match self.fit {
            Fit::Stretch if (width, height) == (side, side) => image.as_raw().into(),
            Fit::Stretch => resize::<3>(image, (width, height), resized).into(),
            Fit::StretchThenCrop(_) | Fit::ShortestEdgeThenCrop(_) => {
                middle(image, resized, side).into()
            }
        })
    }

    /// Returns width and height of a picture after resizing, before a crop; none if a side is 0.
    fn resized(&self, width: usize, height: usize) -> Option<(usize, usize)> {
        let (to_width, to_height) = match self.fit {
            Fit::Stretch => (self.size as usize, self.size as usize),
            Fit::StretchThenCrop(side) => (side as usize, side as usize),
            Fit::ShortestEdgeThenCrop(edge) => {
                // transformers divides in double precision and cuts off.
                let long = |long: usize, short: usize| {
                    (f64::from(edge) * long as f64 / short as f64) as usize
                };
                match width <= height {
                    true => (edge as usize, long(height, width)),
                    false => (long(width, height), edge as usize),
                }
            }
        };
        [width, height, to_width, to_height]
            .iter()
            .all(|&side| side > 0)
            .then_some((to_width, to_height))
    }
}

/// Views all pixels of a picture.
fn whole(image: &RgbImage) -> View<'_> {
    View::of(image.as_raw(), 3 * image.width() as usize, image.height() as usize)
}

/// Returns the middle square of side `side` of the picture after it was resized, on black where it
/// is smaller.
fn middle(image: &RgbImage, resized: (usize, usize), side: usize) -> Vec<u8> {
    let (columns, left) = axis(resized.0, side);
    let (rows, top) = axis(resized.1, side);
    let (width, height) = (columns.len(), rows.len());
    let cropped = resize_window::<3>(whole(image), resized, (columns, rows));
    if (width, height) == (side, side) {
        return cropped;
    }
    let mut square = vec![0; 3 * side * side];
    let lines = square.chunks_exact_mut(3 * side).skip(top);
    for (line, row) in lines.zip(cropped.chunks_exact(3 * width)) {
        line[3 * left..][..row.len()].copy_from_slice(row);
    }
    square
}

/// Returns the range of an axis of `length` places that stays, and the number of empty places
/// before it, centred as in transformers.
fn axis(length: usize, side: usize) -> (Range<usize>, usize) {
    match length.checked_sub(side) {
        Some(more) => (more / 2..more / 2 + side, 0),
        None => (0..length, (side - length).div_ceil(2)),
    }
}
