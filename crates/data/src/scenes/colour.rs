//! Colour names measured from pixels: the nearest named colour in CIE Lab.
//!
//! A name covers a region, not a point (navy and sky are both blue), so each name has several
//! examples and a pixel takes the name of the nearest one. Lab, because there distances go roughly
//! with what an eye tells apart.

use image::RgbaImage;
use std::collections::HashMap;

/// The colour names, in the order of the colour indices used all over this crate.
pub const COLOURS: [&str; 11] = [
    "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "grey", "white",
];

/// Examples of each name, judged by eye.
const EXAMPLES: [&[[u8; 3]]; 11] = [
    &[[221, 46, 68], [190, 25, 49], [255, 0, 0], [220, 60, 50], [160, 4, 30]],
    &[[244, 144, 12], [255, 140, 0], [240, 120, 40], [250, 160, 60], [255, 136, 108]],
    &[
        [255, 204, 77],
        [255, 232, 120],
        [255, 220, 30],
        [255, 255, 0],
        [250, 240, 150],
        [255, 188, 50],
    ],
    &[
        [119, 178, 85],
        [92, 145, 59],
        [62, 114, 29],
        [0, 160, 60],
        [120, 210, 120],
        [40, 90, 40],
        [160, 200, 60],
        [0, 200, 0],
    ],
    &[
        [85, 172, 238],
        [59, 136, 195],
        [34, 102, 153],
        [20, 60, 150],
        [140, 205, 245],
        [0, 0, 220],
        [60, 90, 220],
        [40, 150, 180],
        [30, 50, 90],
    ],
    &[
        [170, 141, 216],
        [146, 102, 204],
        [116, 78, 170],
        [90, 40, 130],
        [150, 50, 180],
        [85, 57, 134],
    ],
    &[
        [244, 171, 186],
        [234, 89, 140],
        [255, 150, 200],
        [230, 120, 160],
        [255, 105, 180],
        [250, 200, 210],
    ],
    &[
        [193, 105, 79],
        [138, 75, 56],
        [102, 33, 19],
        [160, 110, 70],
        [120, 80, 40],
        [217, 158, 130],
        [80, 50, 30],
        [175, 95, 50],
    ],
    &[[0, 0, 0], [25, 25, 25], [41, 47, 51], [35, 30, 30]],
    &[
        [153, 170, 181],
        [102, 117, 127],
        [128, 128, 128],
        [180, 185, 190],
        [186, 198, 206],
        [80, 85, 90],
    ],
    &[[255, 255, 255], [245, 248, 250], [235, 238, 240], [225, 232, 237], [204, 214, 221]],
];

/// The backgrounds of scenes: colour index and pixel value. Softer than most things, so that these
/// stand out.
pub(crate) const BACKGROUNDS: [(usize, [u8; 3]); 8] = [
    (0, [196, 52, 58]),
    (2, [246, 222, 110]),
    (3, [98, 168, 92]),
    (4, [92, 150, 226]),
    (5, [140, 96, 190]),
    (6, [246, 178, 204]),
    (9, [142, 148, 154]),
    (10, [250, 250, 250]),
];

fn lab([r, g, b]: [u8; 3]) -> [f32; 3] {
    let linear = |v: u8| {
        let v = f32::from(v) / 255.0;
        if v <= 0.040_45 { v / 12.92 } else { libm::powf((v + 0.055) / 1.055, 2.4) }
    };
    let (r, g, b) = (linear(r), linear(g), linear(b));
    let f = |t: f32| if t > 0.008_856 { libm::cbrtf(t) } else { 7.787 * t + 16.0 / 116.0 };
    let x = f((0.412_456 * r + 0.357_576 * g + 0.180_438 * b) / 0.950_47);
    let y = f(0.212_673 * r + 0.715_152 * g + 0.072_175 * b);
    let z = f((0.019_334 * r + 0.119_192 * g + 0.950_304 * b) / 1.088_83);
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

/// Names colours; remembers what it has named, because pictures repeat few colours.
#[derive(Default)]
pub struct ColourNamer {
    examples: Vec<(usize, [f32; 3])>,
    known: HashMap<[u8; 3], usize>,
}

impl ColourNamer {
    /// Creates a namer of the [`COLOURS`].
    #[must_use]
    pub fn new() -> Self {
        let examples = EXAMPLES
            .iter()
            .enumerate()
            .flat_map(|(name, all)| all.iter().map(move |&rgb| (name, lab(rgb))))
            .collect();
        Self { examples, known: HashMap::new() }
    }

    /// Returns the index in [`COLOURS`] of the name of a pixel.
    pub fn name(&mut self, rgb: [u8; 3]) -> usize {
        if let Some(&name) = self.known.get(&rgb) {
            return name;
        }
        let at = lab(rgb);
        // Lightness counts less: shading changes it within one thing, and hue is what a name says.
        let distance = |to: &[f32; 3]| {
            let d = [0.7 * (at[0] - to[0]), at[1] - to[1], at[2] - to[2]];
            d[0] * d[0] + d[1] * d[1] + d[2] * d[2]
        };
        let best = self.examples.iter().min_by(|a, b| distance(&a.1).total_cmp(&distance(&b.1)));
        let name = best.map_or(0, |(name, _)| *name);
        self.known.insert(rgb, name);
        name
    }

    /// Returns the share of each of the [`COLOURS`] among the opaque pixels of a picture (all 0 if
    /// none is opaque).
    pub fn shares(&mut self, picture: &RgbaImage) -> [f32; 11] {
        let mut counts = [0_u32; 11];
        for pixel in picture.pixels().filter(|pixel| pixel[3] >= 128) {
            counts[self.name([pixel[0], pixel[1], pixel[2]])] += 1;
        }
        let total = counts.iter().sum::<u32>().max(1) as f32;
        counts.map(|count| count as f32 / total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgba;

    #[test]
    fn colours_of_made_pictures() {
        let mut namer = ColourNamer::new();
        let pure = [
            ("red", [230, 20, 20]),
            ("orange", [255, 150, 0]),
            ("yellow", [250, 230, 40]),
            ("green", [30, 160, 50]),
            ("blue", [40, 80, 220]),
            ("purple", [130, 60, 170]),
            ("pink", [255, 160, 190]),
            ("brown", [120, 70, 35]),
            ("black", [10, 10, 12]),
            ("grey", [130, 130, 132]),
            ("white", [252, 252, 252]),
        ];
        for (name, rgb) in pure {
            assert_eq!(COLOURS[namer.name(rgb)], name);
        }
        // 60 % red, 20 % white, 20 % transparent green, which does not count.
        let picture = RgbaImage::from_fn(10, 10, |x, _| match x {
            0..6 => Rgba([221, 46, 68, 255]),
            6..8 => Rgba([255, 255, 255, 255]),
            _ => Rgba([0, 200, 0, 20]),
        });
        let shares = namer.shares(&picture);
        assert!((shares[0] - 0.75).abs() < 1e-6 && (shares[10] - 0.25).abs() < 1e-6);
        assert_eq!(namer.shares(&RgbaImage::new(4, 4)), [0.0; 11]);
    }

    #[test]
    fn backgrounds_are_called_what_they_look_like() {
        let mut namer = ColourNamer::new();
        for (name, rgb) in BACKGROUNDS {
            assert_eq!(COLOURS[namer.name(rgb)], COLOURS[name]);
        }
    }
}
