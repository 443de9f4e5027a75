//! The box of torchvision's `RandomResizedCrop`.

use toolkit_seed::Stream;

/// Proportions of a box, width by height: least and greatest.
const RATIOS: [f64; 2] = [3.0 / 4.0, 4.0 / 3.0];
/// Boxes that are tried before the middle is taken.
const ATTEMPTS: usize = 10;

/// A part of a picture, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CropBox {
    /// Columns before it.
    pub left: u32,
    /// Rows above it.
    pub top: u32,
    /// Columns of it.
    pub width: u32,
    /// Rows of it.
    pub height: u32,
}

impl CropBox {
    /// Draws a box in a picture of a width and height: a share of its area between `areas`,
    /// uniformly, and a proportion, whose logarithm is uniform. If ten boxes do not fit in the
    /// picture, the middle is taken.
    pub(super) fn draw(size: (u32, u32), areas: [f64; 2], draws: &mut Stream) -> Self {
        let [least, most] = RATIOS.map(libm::log);
        for _ in 0..ATTEMPTS {
            let area = areas[0] + (areas[1] - areas[0]) * draws.unit();
            let ratio = libm::exp(least + (most - least) * draws.unit());
            if let Some((width, height)) = fitting(size, area, ratio) {
                let top = draws.below((size.1 - height) as usize + 1) as u32;
                let left = draws.below((size.0 - width) as usize + 1) as u32;
                return Self { left, top, width, height };
            }
        }
        Self::middle(size)
    }

    /// Returns the largest box in the middle with proportions that are allowed.
    fn middle((width, height): (u32, u32)) -> Self {
        let ratio = f64::from(width) / f64::from(height);
        let rounded = |value: f64| value.round_ties_even() as u32;
        let (w, h) = if ratio < RATIOS[0] {
            (width, rounded(f64::from(width) / RATIOS[0]))
        } else if ratio > RATIOS[1] {
            (rounded(f64::from(height) * RATIOS[1]), height)
        } else {
            (width, height)
        };
        Self { left: (width - w) / 2, top: (height - h) / 2, width: w, height: h }
    }

    /// Returns the part that is within a picture of this size, at least a pixel: a box can have been
    /// made for another picture.
    pub(in super::super) fn within(self, (width, height): (u32, u32)) -> Self {
        let (left, top) = (self.left.min(width - 1), self.top.min(height - 1));
        let side = |side: u32, room: u32| side.clamp(1, room);
        Self {
            left,
            top,
            width: side(self.width, width - left),
            height: side(self.height, height - top),
        }
    }
}

/// Returns the sides of a box with a share of the area and a proportion, unless it is larger than
/// the picture or has no pixel.
fn fitting((width, height): (u32, u32), area: f64, ratio: f64) -> Option<(u32, u32)> {
    let target = f64::from(height) * f64::from(width) * area;
    // Half goes to the even number, as in Python.
    let rounded = |square: f64| square.sqrt().round_ties_even() as u32;
    let (w, h) = (rounded(target * ratio), rounded(target / ratio));
    ((1..=width).contains(&w) && (1..=height).contains(&h)).then_some((w, h))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Case {
        size: (u32, u32),
        /// Share of the area and proportion, as torchvision drew them.
        attempts: Vec<(f64, f64)>,
        r#box: [u32; 4],
    }

    #[derive(serde::Deserialize)]
    struct Fixture {
        boxes: Vec<Case>,
    }

    #[test]
    fn boxes_are_those_of_torchvision() {
        let text = include_str!("../../../tests/fixtures/augment.json");
        let fixture: Fixture = serde_json::from_str(text).unwrap();
        assert_eq!(fixture.boxes.len(), 32);
        let mut middles = 0;
        for Case { size, attempts, r#box: [left, top, width, height] } in fixture.boxes {
            let mut found = attempts.iter().map(|&(area, ratio)| fitting(size, area, ratio));
            if let Some(sides) = found.find_map(|sides| sides) {
                assert_eq!(sides, (width, height), "{size:?}");
                assert!(found.next().is_none(), "{size:?}: an earlier box was taken");
            } else {
                assert_eq!(attempts.len(), ATTEMPTS, "{size:?}");
                assert_eq!(CropBox::middle(size), CropBox { left, top, width, height }, "{size:?}");
                middles += 1;
            }
        }
        assert!((4..28).contains(&middles), "{middles}");
    }
}
