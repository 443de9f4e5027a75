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
    let (cos, sin) = (libm::cos(angle), libm::sin(angle));
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

/// Grey pixels around the picture: a place outside is as good as any other beyond them.
const BORDER: usize = 2;
/// Bits between the channels of a packed pixel: room for a sum of weighted values.
const CHANNEL_BITS: u32 = 20;

/// Returns the square picture of side `side`, moved by a matrix.
pub(super) fn warp(pixels: &[u8], side: usize, matrix: Matrix) -> Vec<u8> {
    let [x_row, y_row] = inverse(matrix);
    let steps: Vec<(i32, i32)> =
        (0..side).map(|x| (fixed(x_row[0] * x as f64), fixed(y_row[0] * x as f64))).collect();
    let (packed, stride) = packed(pixels, side);
    let furthest = (side + BORDER) as i32;
    // From a place, in fixed point, to the place in the packed picture and the weight.
    let split = |place: i32| {
        let place = place >> (PLACE_BITS - KEPT_BITS);
        let (whole, part) = (place >> KEPT_BITS, place & (ONE - 1));
        ((whole + BORDER as i32).clamp(0, furthest) as usize, part as u64)
    };
    let mut out = vec![0; pixels.len()];
    let half = 1 << (PLACE_BITS - KEPT_BITS - 1);
    for (y, row) in out.chunks_exact_mut(3 * side).enumerate() {
        let start = |row: [f64; 3]| fixed(row[1] * y as f64 + row[2]) + half;
        let (x_start, y_start) = (start(x_row), start(y_row));
        for (out, &(x_step, y_step)) in row.as_chunks_mut::<3>().0.iter_mut().zip(&steps) {
            let (x, right) = split(x_start + x_step);
            let (y, below) = split(y_start + y_step);
            let above = &packed[y * stride + x..][..stride + 2];
            let one = ONE as u64;
            let upper = (one - right) * above[0] + right * above[1];
            let lower = (one - right) * above[stride] + right * above[stride + 1];
            let sum = (one - below) * upper + below * lower;
            *out = [0, 1, 2].map(|channel| {
                let sum = sum >> (channel * CHANNEL_BITS) & ((1 << CHANNEL_BITS) - 1);
                ((sum + one * one / 2) >> (2 * KEPT_BITS)) as u8
            });
        }
    }
    out
}

/// Returns the three channels of each pixel in one number, within a grey border, and the number of
/// pixels of a row.
fn packed(pixels: &[u8], side: usize) -> (Vec<u64>, usize) {
    let pack = |pixel: [u8; 3]| {
        let [red, green, blue] = pixel.map(u64::from);
        red | green << CHANNEL_BITS | blue << (2 * CHANNEL_BITS)
    };
    let stride = side + 2 * BORDER;
    let mut packed = vec![pack([GREY; 3]); stride * stride];
    let rows = packed.chunks_exact_mut(stride).skip(BORDER);
    for (to, from) in rows.zip(pixels.chunks_exact(3 * side)) {
        for (to, &from) in to[BORDER..].iter_mut().zip(from.as_chunks::<3>().0) {
            *to = pack(from);
        }
    }
    (packed, stride)
}
