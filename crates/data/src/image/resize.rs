//! Antialiased bicubic resize that gives the bytes Pillow gives.
//!
//! Reference image pipelines resize with Pillow, and features shift measurably when another
//! resampler is used. So this follows Pillow's 8-bit path: weights in double precision rounded to
//! 22 fractional bits, two passes with 8-bit values in between, and no pass where a side keeps its
//! length. The passes are in the order of Pillow 13, which reference files are made with: vertical
//! first where that is much less work. Up to version 12 the horizontal pass was always the first;
//! such pictures, over twice as much too high as too wide, then differ by a few 255ths.

use super::lanes::{PRECISION, vectorised};
use super::passes::{Horizontal, Taps, Vertical};
use super::view::View;
use std::borrow::Cow;
use std::ops::Range;

const SUPPORT: f64 = 2.0;

/// Evaluates the cubic kernel with a = -0.5 (Catmull-Rom).
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

/// Computes the fixed-point weights of the output places `window`, as Pillow rounds them.
fn taps(from: usize, to: usize, window: Range<usize>) -> Taps {
    let scale = from as f64 / to as f64;
    let stretch = scale.max(1.0);
    let support = SUPPORT * stretch;
    let mut taps = Taps { places: Vec::with_capacity(window.len()), weights: Vec::new() };
    let mut raw: Vec<f64> = Vec::new();
    for out in window {
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
    assert!(width * height > 0, "no side may be 0");
    let whole = View::of(pixels, width * CHANNELS, height);
    resize_window::<CHANNELS>(whole, (to_width, to_height), (0..to_width, 0..to_height))
}

/// Resizes a view like [`resize`], but computes only some columns and rows of the result: a long,
/// narrow picture may have a huge one.
///
/// # Panics
/// If a side is 0 or the window is not within the result.
pub(crate) fn resize_window<const CHANNELS: usize>(
    from: View<'_>,
    (to_width, to_height): (usize, usize),
    (columns, rows): (Range<usize>, Range<usize>),
) -> Vec<u8> {
    let (width, height) = (from.width / CHANNELS, from.height);
    assert!(width * height * to_width * to_height > 0, "no side may be 0");
    assert!(
        columns.end <= to_width && rows.end <= to_height,
        "the window must be within the result"
    );
    let [from_height, new_height, from_width, new_width] =
        [height, to_height, width, to_width].map(|n| n as i64);
    let shrinks = from_height - new_height;
    let vertical_first = shrinks > 0 && shrinks > 2 * (from_width - new_width);
    if vertical_first {
        let count = rows.len();
        let pixels = vertical(from, to_height, rows);
        let pixels = View::of(&pixels, from.width, count);
        return horizontal::<CHANNELS>(pixels, to_width, columns).into_owned();
    }
    let stride = columns.len() * CHANNELS;
    let pixels = horizontal::<CHANNELS>(from, to_width, columns);
    vertical(View::of(&pixels, stride, height), to_height, rows).into_owned()
}

/// Resizes every row to `to_width` pixels, of which `window` are computed.
fn horizontal<const CHANNELS: usize>(
    from: View<'_>,
    to_width: usize,
    window: Range<usize>,
) -> Cow<'_, [u8]> {
    let width = from.width / CHANNELS;
    if width == to_width {
        let columns = window.start * CHANNELS..window.end * CHANNELS;
        return from.part(columns, 0..from.height).packed();
    }
    let mut out = vec![0; from.height * window.len() * CHANNELS];
    let taps = &taps(width, to_width, window);
    vectorised(Horizontal::<CHANNELS> { rows: from, taps, out: &mut out });
    out.into()
}

/// Resizes to `to_height` rows, of which `window` are computed.
fn vertical(from: View<'_>, to_height: usize, window: Range<usize>) -> Cow<'_, [u8]> {
    if from.height == to_height {
        return from.part(0..from.width, window).packed();
    }
    let mut out = vec![0; from.width * window.len()];
    let taps = &taps(from.height, to_height, window);
    vectorised(Vertical { rows: from, taps, out: &mut out });
    out.into()
}
