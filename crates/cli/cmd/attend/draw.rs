//! Attention as warmth over a grey picture.

use image::imageops::{FilterType, overlay, resize};
use image::{Rgb, RgbImage, imageops};

/// Space between tiles.
const GAP: u32 = 4;

/// Returns the side of the square grid of `tokens`, and the number of class tokens before it, 0 or
/// 1. `None` if the tokens are no square grid.
#[must_use]
pub fn grid(tokens: usize) -> Option<(usize, usize)> {
    [0, 1].into_iter().find_map(|class| {
        let patches = tokens.checked_sub(class)?;
        let side = patches.isqrt();
        (side > 0 && side * side == patches).then_some((side, class))
    })
}

/// Returns the place of the largest weight, and that weight.
#[must_use]
pub fn most(weights: &[f32]) -> (usize, f32) {
    weights.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or_default()
}

/// Draws tiles in rows: the picture as the encoder sees it, the mean, each query.
#[must_use]
pub fn sheet(
    seen: &RgbImage,
    weights: &[Vec<f32>],
    grid: usize,
    class: usize,
    size: u32,
) -> RgbImage {
    let square = resize(seen, size, size, FilterType::CatmullRom);
    let patches: Vec<&[f32]> = weights.iter().map(|query| &query[class..]).collect();
    let mean: Vec<f32> = (0..grid * grid)
        .map(|at| patches.iter().map(|p| p[at]).sum::<f32>() / patches.len().max(1) as f32)
        .collect();
    let mut tiles = vec![square.clone(), warm(&square, &mean, grid)];
    tiles.extend(patches.iter().map(|query| warm(&square, query, grid)));

    let columns = (tiles.len() as f64).sqrt().ceil() as u32;
    let rows = (tiles.len() as u32).div_ceil(columns);
    let place = |n: u32| n * (size + GAP);
    let mut sheet = RgbImage::from_pixel(place(columns) - GAP, place(rows) - GAP, Rgb([255; 3]));
    for (at, tile) in (0u32..).zip(&tiles) {
        overlay(&mut sheet, tile, i64::from(place(at % columns)), i64::from(place(at / columns)));
    }
    sheet
}

/// Draws a grey picture with the weights of a grid in warm colours: the largest of them fully, the
/// smallest not at all.
fn warm(picture: &RgbImage, weights: &[f32], grid: usize) -> RgbImage {
    let least = weights.iter().copied().fold(f32::INFINITY, f32::min);
    let range = (most(weights).1 - least).max(f32::MIN_POSITIVE);
    let heat = image::GrayImage::from_fn(grid as u32, grid as u32, |x, y| {
        let share = (weights[y as usize * grid + x as usize] - least) / range;
        image::Luma([(255.0 * share).round().clamp(0.0, 255.0) as u8])
    });
    let heat = resize(&heat, picture.width(), picture.height(), FilterType::Triangle);
    let grey = imageops::grayscale(picture);
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let (grey, share) =
            (f32::from(grey.get_pixel(x, y)[0]) * 0.75, f32::from(heat.get_pixel(x, y)[0]) / 255.0);
        // From grey over red to yellow.
        let colour = [255.0, 255.0 * (2.0 * share - 1.0).max(0.0), 0.0];
        let mixed = colour
            .map(|c| grey + (c - grey) * (0.15 + 0.75 * share) * f32::from(u8::from(share > 0.02)));
        Rgb(mixed.map(|c| c.round().clamp(0.0, 255.0) as u8))
    })
}

#[cfg(test)]
mod tests {
    use super::{grid, sheet};
    use image::{Rgb, RgbImage};

    #[test]
    fn tokens_make_a_grid_with_or_without_a_class() {
        assert_eq!(grid(49), Some((7, 0)));
        assert_eq!(grid(257), Some((16, 1)));
        assert_eq!(grid(50), Some((7, 1)));
        assert_eq!((grid(0), grid(12)), (None, None));
    }

    #[test]
    fn warmth_is_where_the_weight_is() {
        let picture = RgbImage::from_pixel(16, 16, Rgb([100; 3]));
        // A class token, then 2 x 2 patches; all weight on the last.
        let drawn = sheet(&picture, &[vec![0.5, 0.0, 0.0, 0.0, 0.5]], 2, 1, 16);
        // Three tiles in two columns; that of the query is below the picture.
        assert_eq!(drawn.dimensions(), (36, 36));
        let (cold, hot) = (drawn.get_pixel(1, 21), drawn.get_pixel(14, 34));
        assert!(hot[0] > 200 && hot[2] < 60, "{hot:?}");
        assert!(cold[0] == cold[2], "{cold:?}");
        assert_eq!(drawn.get_pixel(3, 3), &Rgb([100; 3]));
    }
}
