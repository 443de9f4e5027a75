//! Affine warps of square RGB pictures, with the bytes of OpenCV's `warpAffine` (4.5, bilinear, on
//! grey).
//!
//! Places are fixed-point numbers: 10 fractional bits, of which 5 are left for the weights. So the
//! sums are of integers.

/// A matrix from places of the old picture to places of the new one: rows for x and y, columns for
/// x, y and 1.
type Matrix = [[f64; 3]; 2];

/// Fractional bits of a place while it is computed.
const PLACE_BITS: u32 = 10;
/// Fractional bits of a place that are kept.
const KEPT_BITS: u32 = 5;
/// One half of a weight.
const ONE: i32 = 1 << KEPT_BITS;
/// The value where the old picture is not.
const GREY: u8 = 128;

/// Returns the matrix that turns around the middle by degrees, against the clock.
pub(super) fn rotation(degrees: f64, side: usize) -> Matrix {
    let angle = degrees * (std::f64::consts::PI / 180.0);
    let (cos, sin) = (angle.cos(), angle.sin());
    let middle = side as f64 / 2.0;
    [
        [cos, sin, (1.0 - cos) * middle - sin * middle],
        [-sin, cos, sin * middle + (1.0 - cos) * middle],
    ]
}

/// Returns the matrix in the other direction, computed in OpenCV's order.
fn inverse([[a, b, c], [d, e, f]]: Matrix) -> Matrix {
    let determinant = a * e - b * d;
    let by = if determinant == 0.0 { 0.0 } else { 1.0 / determinant };
    let [a, b, d, e] = [e * by, b * -by, d * -by, a * by];
    [[a, b, -a * c - b * f], [d, e, -d * c - e * f]]
}

/// Rounds to a fixed-point number.
fn fixed(value: f64) -> i32 {
    (value * f64::from(1 << PLACE_BITS)).round_ties_even() as i32
}

/// Returns the square picture of side `side`, moved by a matrix.
pub(super) fn warp(pixels: &[u8], side: usize, matrix: Matrix) -> Vec<u8> {
    let [x_row, y_row] = inverse(matrix);
    let steps: Vec<(i32, i32)> =
        (0..side).map(|x| (fixed(x_row[0] * x as f64), fixed(y_row[0] * x as f64))).collect();
    let mut out = Vec::with_capacity(pixels.len());
    let half = 1 << (PLACE_BITS - KEPT_BITS - 1);
    for y in 0..side {
        let start = |row: [f64; 3]| fixed(row[1] * y as f64 + row[2]) + half;
        let (x_start, y_start) = (start(x_row), start(y_row));
        for &(x_step, y_step) in &steps {
            let shift = PLACE_BITS - KEPT_BITS;
            out.extend(blend(
                pixels,
                side,
                (x_start + x_step) >> shift,
                (y_start + y_step) >> shift,
            ));
        }
    }
    out
}

/// Returns the pixel at a place, of the four around it by their distance.
#[inline]
fn blend(pixels: &[u8], side: usize, x: i32, y: i32) -> [u8; 3] {
    let (right, below) = (x & (ONE - 1), y & (ONE - 1));
    let (x, y) = (x >> KEPT_BITS, y >> KEPT_BITS);
    let inside = |place: i32| usize::try_from(place).ok().filter(|&place| place < side);
    let pixel = |x: i32, y: i32| match (inside(x), inside(y)) {
        (Some(x), Some(y)) => {
            let at = 3 * (y * side + x);
            [pixels[at], pixels[at + 1], pixels[at + 2]]
        }
        _ => [GREY; 3],
    };
    let corners = [pixel(x, y), pixel(x + 1, y), pixel(x, y + 1), pixel(x + 1, y + 1)];
    let weights = [
        (ONE - right) * (ONE - below),
        right * (ONE - below),
        (ONE - right) * below,
        right * below,
    ];
    std::array::from_fn(|channel| {
        let sum: i32 = (0..4).map(|at| weights[at] * i32::from(corners[at][channel])).sum();
        ((sum + ONE * ONE / 2) / (ONE * ONE)) as u8
    })
}
