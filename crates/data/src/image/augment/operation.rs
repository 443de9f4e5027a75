//! The operations of RandAugment, and what a level means for each.

use super::{colours, warp};

/// Greatest level.
const LEVELS: f64 = 10.0;
/// Shear at the greatest level.
const SHEAR: f64 = 0.3;
/// Pixels of a translation at the greatest level.
const TRANSLATION: f64 = 10.0;
/// Degrees of a rotation at the greatest level.
const DEGREES: f64 = 30.0;

/// Name of an operation: those that LAVIS selects for `blip_image_train`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationName {
    /// Nothing.
    Identity,
    /// Each channel is stretched to the values from 0 to 255.
    AutoContrast,
    /// Values are multiplied.
    Brightness,
    /// Neighbouring pixels are made less or more alike.
    Sharpness,
    /// Each channel gets about as many pixels of each value.
    Equalize,
    /// Rows are moved sideways, by their distance from the top.
    ShearX,
    /// Columns are moved up or down, by their distance from the left.
    ShearY,
    /// All is moved sideways.
    TranslateX,
    /// All is moved up or down.
    TranslateY,
    /// All is turned around the middle.
    Rotate,
}

impl OperationName {
    /// Every operation, in the order of LAVIS.
    pub const ALL: [Self; 10] = [
        Self::Identity,
        Self::AutoContrast,
        Self::Brightness,
        Self::Sharpness,
        Self::Equalize,
        Self::ShearX,
        Self::ShearY,
        Self::TranslateX,
        Self::TranslateY,
        Self::Rotate,
    ];
}

/// An operation with its level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Name.
    pub name: OperationName,
    /// Level, from 0 to 10. At level 5 brightness and sharpness stay as they are.
    pub level: u32,
    /// `true` if a shear, translation or rotation goes to the other side.
    pub negative: bool,
}

impl Operation {
    /// Changes a square picture of side `side`.
    pub(super) fn apply(self, pixels: &mut Vec<u8>, side: usize) {
        let share = f64::from(self.level) / LEVELS;
        let signed = |most: f64| if self.negative { -(share * most) } else { share * most };
        let factor = (share * 1.8 + 0.1) as f32;
        // LAVIS builds these matrices in single precision.
        let single = |value: f64| f64::from(value as f32);
        let matrix = match self.name {
            OperationName::Identity => return,
            OperationName::AutoContrast => return colours::auto_contrast(pixels),
            OperationName::Brightness => return colours::brightness(pixels, factor),
            OperationName::Sharpness => return colours::sharpness(pixels, side, factor),
            OperationName::Equalize => return colours::equalize(pixels),
            OperationName::ShearX => [[1.0, single(signed(SHEAR)), 0.0], [0.0, 1.0, 0.0]],
            OperationName::ShearY => [[1.0, 0.0, 0.0], [single(signed(SHEAR)), 1.0, 0.0]],
            OperationName::TranslateX => {
                [[1.0, 0.0, single(-signed(TRANSLATION))], [0.0, 1.0, 0.0]]
            }
            OperationName::TranslateY => {
                [[1.0, 0.0, 0.0], [0.0, 1.0, single(-signed(TRANSLATION))]]
            }
            OperationName::Rotate => warp::rotation(signed(DEGREES), side),
        };
        *pixels = warp::warp(pixels, side, matrix);
    }
}
