//! Augmentation of training pictures as LAVIS has it (`processors/blip_processors.py`).
//!
//! | file | what |
//! |---|---|
//! | `settings.rs` | the form of [`Augment`] in files: a preset or a table |
//! | `crop.rs` | the box of torchvision's `RandomResizedCrop` |
//! | `operation.rs` | the ten operations of RandAugment, and what a level means |
//! | `colours.rs`, `warp.rs` | their pixels: Pillow's, and OpenCV's `warpAffine` |
//!
//! A picture is cropped and resized, flipped, then given to RandAugment, all in bytes, and
//! normalised last. [`Augment::draw`] draws everything that is random; the rest is a function of the
//! draws, and its bytes are those of the reference tools.

mod colours;
mod crop;
mod operation;
mod settings;
mod warp;

pub use crop::CropBox;
pub use operation::{Operation, OperationName};

use serde::Serialize;
use toolkit_seed::Stream;

/// Augmentation of training pictures, all of it off by default.
///
/// In files it is the name of a preset, or a table such as `{ crop = [0.5, 1.0], flip = 0.5 }`. It is
/// always written as a table, so that a preset and its table give the same id.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Augment {
    /// Least and greatest share of the picture's area that is cut out and resized; the box is
    /// between 3:4 and 4:3. Without it the whole picture is taken, as in evaluation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crop: Option<[f64; 2]>,
    /// Probability that left and right are exchanged.
    #[serde(skip_serializing_if = "is_zero")]
    pub flip: f64,
    /// Operations on colours and geometry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub randaugment: Option<RandAugment>,
}

/// Settings of RandAugment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RandAugment {
    /// Operations that are drawn for a picture, with replacement; each is done with probability
    /// one half.
    pub n: u32,
    /// Level of each, from 0 to 10.
    pub m: u32,
}

/// Random values of the augmentation of one picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AugmentDraw {
    /// Part of the picture that is resized; none if the whole picture is taken.
    pub crop: Option<CropBox>,
    /// `true` if left and right are exchanged.
    pub flip: bool,
    /// Operations in their order.
    pub operations: Vec<Operation>,
}

fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

impl Augment {
    /// Returns `true` if nothing is augmented.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the stream of draws for a sample in a pass over the data. It depends on nothing else,
    /// so order, threads and resuming cannot change a picture.
    #[must_use]
    pub fn draws(seed: u64, sample: u64, pass: u64) -> Stream {
        Stream::new(seed, &format!("augment/{pass}"), sample)
    }

    /// Draws for a picture of a width and height, which are not 0: the crop, the flip, then the
    /// operations.
    #[must_use]
    pub fn draw(&self, size: (u32, u32), draws: &mut Stream) -> AugmentDraw {
        let crop = self.crop.map(|areas| CropBox::draw(size, areas, draws));
        let flip = self.flip > 0.0 && draws.chance(self.flip);
        let operations = self.randaugment.map(|settings| settings.draw(draws));
        AugmentDraw { crop, flip, operations: operations.unwrap_or_default() }
    }
}

impl RandAugment {
    /// Draws the operations that are done. Each takes three draws, done or not.
    fn draw(self, draws: &mut Stream) -> Vec<Operation> {
        let mut operations = Vec::new();
        for _ in 0..self.n {
            let name = *draws.choose(&OperationName::ALL);
            let (done, negative) = (draws.chance(0.5), draws.chance(0.5));
            if done {
                operations.push(Operation { name, level: self.m, negative });
            }
        }
        operations
    }
}

impl AugmentDraw {
    /// Flips the square picture of side `side` and does the operations.
    pub(super) fn finish(&self, pixels: &mut Vec<u8>, side: usize) {
        if self.flip {
            for row in pixels.chunks_exact_mut(3 * side) {
                row.as_chunks_mut::<3>().0.reverse();
            }
        }
        for operation in &self.operations {
            operation.apply(pixels, side);
        }
    }
}
