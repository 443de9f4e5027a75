//! Resizing and normalising in lanes give every byte and bit that plain loops give.
#![allow(clippy::unwrap_used, missing_docs)]

use image::RgbImage;
use proptest::prelude::*;
use toolkit_data::{Preprocess, resize};

const PRECISION: u32 = 32 - 8 - 2;
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

/// For each output place: the first input place and the fixed-point weights from there.
fn weights(from: usize, to: usize) -> Vec<(usize, Vec<i32>)> {
    let scale = from as f64 / to as f64;
    let stretch = scale.max(1.0);
    let support = SUPPORT * stretch;
    (0..to)
        .map(|out| {
            let centre = (out as f64 + 0.5) * scale;
            let first = (centre - support + 0.5).max(0.0) as usize;
            let last = ((centre + support + 0.5) as usize).min(from);
            let raw: Vec<f64> = (first..last)
                .map(|at| cubic((at as f64 - centre + 0.5) * (1.0 / stretch)))
                .collect();
            let sum: f64 = raw.iter().sum();
            let norm = if sum == 0.0 { 1.0 } else { 1.0 / sum };
            let fixed = raw.iter().map(|w| {
                let w = w * norm * f64::from(1_u32 << PRECISION);
                (if w < 0.0 { w - 0.5 } else { w + 0.5 }) as i32
            });
            (first, fixed.collect())
        })
        .collect()
}

fn clip(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

fn plain<const CHANNELS: usize>(
    pixels: &[u8],
    (width, height): (usize, usize),
    (to_width, to_height): (usize, usize),
) -> Vec<u8> {
    assert_eq!(pixels.len(), width * height * CHANNELS, "pixels and size must fit");
    assert!(width * height * to_width * to_height > 0, "no side may be 0");
    let [from_height, new_height, from_width, new_width] =
        [height, to_height, width, to_width].map(|n| n as i64);
    let shrinks = from_height - new_height;
    let vertical_first = shrinks > 0 && shrinks > 2 * (from_width - new_width);
    if vertical_first {
        let rows = vertical(pixels.to_vec(), width * CHANNELS, height, to_height);
        return horizontal::<CHANNELS>(rows, width, to_width);
    }
    let rows = horizontal::<CHANNELS>(pixels.to_vec(), width, to_width);
    vertical(rows, to_width * CHANNELS, height, to_height)
}

/// Half of the last bit that is kept, so that cutting off rounds.
const HALF: i32 = 1 << (PRECISION - 1);

/// Every row of `width` pixels to `to_width`.
fn horizontal<const CHANNELS: usize>(rows: Vec<u8>, width: usize, to_width: usize) -> Vec<u8> {
    if width == to_width {
        return rows;
    }
    let taps = weights(width, to_width);
    let mut out = Vec::with_capacity(rows.len() / width * to_width);
    for row in rows.chunks_exact(width * CHANNELS) {
        for (first, weights) in &taps {
            let mut sums = [HALF; CHANNELS];
            let inputs = row[first * CHANNELS..].chunks_exact(CHANNELS);
            for (pixel, &weight) in inputs.zip(weights) {
                for (sum, &value) in sums.iter_mut().zip(pixel) {
                    *sum += i32::from(value) * weight;
                }
            }
            out.extend(sums.map(clip));
        }
    }
    out
}

/// `height` rows of `stride` values to `to_height`.
fn vertical(rows: Vec<u8>, stride: usize, height: usize, to_height: usize) -> Vec<u8> {
    if height == to_height {
        return rows;
    }
    let mut out = Vec::with_capacity(stride * to_height);
    let mut sums = vec![HALF; stride];
    for (first, weights) in weights(height, to_height) {
        sums.fill(HALF);
        for (row, weight) in rows[first * stride..].chunks_exact(stride).zip(weights) {
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum += i32::from(value) * weight;
            }
        }
        out.extend(sums.iter().map(|&sum| clip(sum)));
    }
    out
}

/// `[3, side, side]` as the definition says, value by value.
fn plain_apply(preprocess: &Preprocess, image: &RgbImage) -> Vec<f32> {
    let side = preprocess.size as usize;
    let pixels = plain::<3>(image, (image.width() as usize, image.height() as usize), (side, side));
    let one = |channel: usize, v: u8| {
        (f32::from(v) / 255.0 - preprocess.mean[channel]) / preprocess.std[channel]
    };
    (0..3)
        .flat_map(|channel| pixels.chunks_exact(3).map(move |pixel| (channel, pixel[channel])))
        .map(|(channel, v)| one(channel, v))
        .collect()
}

/// Noise of full contrast, which overshoots at both ends, and plain stretches.
fn noise(count: usize, mut seed: u64) -> Vec<u8> {
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 32) as u32
    };
    let mut out = Vec::with_capacity(count);
    while out.len() < count {
        let value = match next() % 4 {
            0 => 0,
            1 => 255,
            _ => next() as u8,
        };
        let length = if next() % 8 == 0 { 24 } else { 1 };
        out.extend(std::iter::repeat_n(value, length.min(count - out.len())));
    }
    out
}

fn check<const CHANNELS: usize>(seed: u64, from: (usize, usize), to: (usize, usize)) {
    let input = noise(from.0 * from.1 * CHANNELS, seed);
    let same = resize::<CHANNELS>(&input, from, to) == plain::<CHANNELS>(&input, from, to);
    assert!(same, "{CHANNELS} channels, {from:?} to {to:?}, seed {seed}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn lanes_give_the_bytes_of_plain_loops(
        seed in 1..u64::MAX, w in 1..150_usize, h in 1..150_usize, tw in 1..150_usize, th in 1..150_usize,
    ) {
        check::<1>(seed, (w, h), (tw, th));
        check::<3>(seed, (w, h), (tw, th));
        check::<4>(seed, (w, h), (tw, th));
    }

    #[test]
    fn normalised_values_are_the_same_bits(
        seed in 1..u64::MAX, w in 1..90_u32, h in 1..90_u32, size in 1..90_u32,
        mean in prop::array::uniform3(0.0..1.0_f32), std in prop::array::uniform3(0.01..1.0_f32),
    ) {
        let image = RgbImage::from_raw(w, h, noise((w * h * 3) as usize, seed)).unwrap();
        let preprocess = Preprocess::square(size, mean, std);
        let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
        prop_assert_eq!(bits(preprocess.apply(&image)), bits(plain_apply(&preprocess, &image)));
    }
}

#[test]
fn photographs_to_an_encoders_square() {
    for (seed, from) in
        [(1, (640, 480)), (2, (480, 640)), (3, (500, 333)), (4, (224, 640)), (5, (100, 1000))]
    {
        check::<3>(seed, from, (224, 224));
        check::<3>(seed, from, (336, 336));
    }
}

#[test]
fn every_width_of_a_last_lane() {
    for width in 1..70 {
        check::<1>(width as u64, (width, 9), (width + 1, 9));
        check::<3>(width as u64, (9, width), (9, 70 - width));
        check::<4>(width as u64, (width, 17), (70 - width, 33));
    }
}
