//! Antialiased bicubic resize that gives the bytes Pillow gives.
//!
//! Reference image pipelines resize with Pillow, and features shift measurably when another resampler is used. So this
//! follows Pillow's 8-bit path: weights in double precision rounded to 22 fractional bits, two passes with 8-bit values in
//! between, and no pass where a side keeps its length. The passes are in the order of Pillow 13, which reference files are
//! made with: vertical first where that is much less work. Up to version 12 the horizontal pass was always the first;
//! such pictures, over twice as much too high as too wide, then differ by a few 255ths.

use crate::lanes::{PRECISION, vectorised};
use crate::passes::{Horizontal, Taps, Vertical};
use std::borrow::Cow;

const SUPPORT: f64 = 2.0;

/// The cubic kernel with a = -0.5 (Catmull-Rom).
fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

/// The fixed-point weights of every output place, as Pillow rounds them.
fn taps(from: usize, to: usize) -> Taps {
    let scale = from as f64 / to as f64;
    let stretch = scale.max(1.0);
    let support = SUPPORT * stretch;
    let mut taps = Taps { places: Vec::with_capacity(to), weights: Vec::new() };
    let mut raw: Vec<f64> = Vec::new();
    for out in 0..to {
        let centre = (out as f64 + 0.5) * scale;
        let first = (centre - support + 0.5).max(0.0) as usize;
        let last = ((centre + support + 0.5) as usize).min(from);
        raw.clear();
        raw.extend((first..last).map(|at| cubic((at as f64 - centre + 0.5) * (1.0 / stretch))));
        let sum: f64 = raw.iter().sum();
        let norm = if sum == 0.0 { 1.0 } else { 1.0 / sum };
        taps.weights.extend(raw.iter().map(|w| {
            let w = w * norm * f64::from(1_u32 << PRECISION);
            (if w < 0.0 { w - 0.5 } else { w + 0.5 }) as i32
        }));
        taps.places.push((first, raw.len()));
    }
    taps
}

/// Resizes rows of interleaved 8-bit channels from `width` x `height` to `to_width` x `to_height`.
///
/// # Panics
/// If `pixels` is not `width * height * CHANNELS` long or a side is 0.
#[must_use]
pub fn resize<const CHANNELS: usize>(
    pixels: &[u8],
    (width, height): (usize, usize),
    (to_width, to_height): (usize, usize),
) -> Vec<u8> {
    assert_eq!(pixels.len(), width * height * CHANNELS, "pixels and size must fit");
    assert!(width * height * to_width * to_height > 0, "no side may be 0");
    let [from_height, new_height, from_width, new_width] = [height, to_height, width, to_width].map(|n| n as i64);
    let shrinks = from_height - new_height;
    let vertical_first = shrinks > 0 && shrinks > 2 * (from_width - new_width);
    if vertical_first {
        let rows = vertical(pixels, width * CHANNELS, height, to_height);
        return horizontal::<CHANNELS>(&rows, width, to_width).into_owned();
    }
    let rows = horizontal::<CHANNELS>(pixels, width, to_width);
    vertical(&rows, to_width * CHANNELS, height, to_height).into_owned()
}

/// Every row of `width` pixels to `to_width`.
fn horizontal<const CHANNELS: usize>(rows: &[u8], width: usize, to_width: usize) -> Cow<'_, [u8]> {
    if width == to_width {
        return rows.into();
    }
    let mut out = vec![0; rows.len() / width * to_width];
    let taps = &taps(width, to_width);
    vectorised(Horizontal::<CHANNELS> { rows, stride: width * CHANNELS, taps, out: &mut out });
    out.into()
}

/// `height` rows of `stride` values to `to_height`.
fn vertical(rows: &[u8], stride: usize, height: usize, to_height: usize) -> Cow<'_, [u8]> {
    if height == to_height {
        return rows.into();
    }
    let mut out = vec![0; stride * to_height];
    let taps = &taps(height, to_height);
    vectorised(Vertical { rows, stride, taps, out: &mut out });
    out.into()
}
