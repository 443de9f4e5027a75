//! Pictures of scenes, and of single things for pre-training a vision encoder.

use super::colour::BACKGROUNDS;
use super::scene::Scene;
use super::world::STEPS;
use crate::World;
use image::{Rgb, RgbImage};
use toolkit_seed::Stream;

/// Draws a scene.
pub(crate) fn render(world: &World, scene: &Scene) -> RgbImage {
    let size = world.config().size;
    let pixel = BACKGROUNDS
        .iter()
        .find(|(colour, _)| *colour == scene.background)
        .map_or([0; 3], |(_, pixel)| *pixel);
    let mut canvas = RgbImage::from_pixel(size, size, Rgb(pixel));
    for placed in &scene.placed {
        world.sprite(placed.thing, placed.steps).draw(&mut canvas, placed.x, placed.y);
    }
    canvas
}

/// The ground truth of a picture of [`World::picture`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureLabels {
    /// Index in [`World::things`].
    pub thing: usize,
    /// Index in [`crate::GROUPS`].
    pub group: usize,
    /// Colour of the thing, an index into [`crate::COLOURS`], if it has a clear one.
    pub colour: Option<usize>,
    /// Colour of the background, an index into [`crate::COLOURS`].
    pub background: usize,
    /// Cell of the 2 x 2 grid that the centre of the thing lies in: 0 top left, 1 top right, 2 and
    /// 3 below.
    pub cell: usize,
    /// Left and top edge and side of the thing in pixels.
    pub place: (usize, usize, usize),
}

impl World {
    /// Draws one thing alone at a random place, in sizes from about a third to nearly all of the
    /// canvas, on a plain or noisy background: for pre-training a vision encoder. All things occur,
    /// held-out ones too: the encoder has seen everything, as a web-trained one has; only the
    /// training of the bridge has not.
    #[must_use]
    pub fn picture(&self, seed: u64, index: u64) -> (RgbImage, PictureLabels) {
        let mut draw = Stream::new(seed, "scenes/picture", index);
        let size = self.config.size as usize;
        let thing = draw.below(self.things().len());
        let seen: Vec<usize> =
            (0..BACKGROUNDS.len()).filter(|&b| self.stands_out(thing, b)).collect();
        let (background, mut pixel) =
            BACKGROUNDS[if seen.is_empty() { 0 } else { *draw.choose(&seen) }];
        for value in &mut pixel {
            *value = (usize::from(*value) + draw.below(17)).saturating_sub(8).min(255) as u8;
        }
        let mut canvas = RgbImage::from_pixel(self.config.size, self.config.size, Rgb(pixel));
        if draw.chance(0.5) {
            let strength = draw.between(4, 24) as i32;
            for bytes in canvas.chunks_mut(8) {
                let random = draw.next_u64().to_le_bytes();
                for (value, random) in bytes.iter_mut().zip(random) {
                    let noise = (i32::from(random) - 128) * strength / 128;
                    *value = (i32::from(*value) + noise).clamp(0, 255) as u8;
                }
            }
        }
        let steps = draw.between(*STEPS.start(), *STEPS.end());
        let side = steps * size / 16;
        let (x, y) = (draw.between(0, size - side), draw.between(0, size - side));
        self.sprite(thing, steps).draw(&mut canvas, x, y);
        let (right, lower) = (x * 2 + side >= size, y * 2 + side >= size);
        let info = &self.things()[thing];
        let labels = PictureLabels {
            thing,
            group: info.group,
            colour: info.colour,
            background,
            cell: usize::from(right) + 2 * usize::from(lower),
            place: (x, y, side),
        };
        (canvas, labels)
    }
}
