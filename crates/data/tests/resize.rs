//! Resize gives Pillow's bytes.
#![allow(clippy::unwrap_used, missing_docs)]

use image::RgbImage;
use proptest::prelude::*;
use serde::Deserialize;
use toolkit_data::{Preprocess, resize};

#[derive(Deserialize)]
struct Case {
    from: (usize, usize),
    to: (usize, usize),
    seed: u32,
    pixels: String,
}

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

/// The generator of `fixtures/make_resize.py`.
fn pixels(count: usize, seed: u32) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        match (state >> 24) as u8 {
            0..60 => 0,
            201.. => 255,
            value => value,
        }
    };
    (0..count).map(|_| next()).collect()
}

#[test]
fn bicubic_is_pillows_to_the_byte() {
    let fixture: Fixture = serde_json::from_str(include_str!("fixtures/resize.json")).unwrap();
    assert_eq!(fixture.cases.len(), 12);
    for case in fixture.cases {
        let input = pixels(case.from.0 * case.from.1 * 3, case.seed);
        let ours: String =
            resize::<3>(&input, case.from, case.to).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(ours, case.pixels, "{:?} to {:?}", case.from, case.to);
    }
}

#[test]
fn preprocess_normalises_by_channel() {
    let image = RgbImage::from_fn(4, 4, |x, _| image::Rgb([255, 51, if x < 2 { 0 } else { 255 }]));
    let preprocess = Preprocess::square(4, [0.5, 0.2, 0.0], [0.25, 0.5, 1.0]);
    let out = preprocess.apply(&image);
    assert_eq!(out.len(), 3 * 16);
    assert!(out[..16].iter().all(|v| (v - 2.0).abs() < 1e-6));
    assert!(out[16..32].iter().all(|v| v.abs() < 1e-6));
    assert_eq!(&out[32..36], [0.0, 0.0, 1.0, 1.0]);
    // Resized to the square, whatever the shape.
    assert_eq!(preprocess.apply(&RgbImage::new(31, 7)).len(), 48);
    assert_eq!(preprocess.apply(&RgbImage::new(0, 7)), vec![0.0; 48]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Weights sum to one: a plain picture stays plain at every size.
    #[test]
    fn plain_pictures_stay_plain(
        value: [u8; 3], w in 1..70_usize, h in 1..70_usize, tw in 1..70_usize, th in 1..70_usize,
    ) {
        let input: Vec<u8> = value.iter().copied().cycle().take(w * h * 3).collect();
        let out = resize::<3>(&input, (w, h), (tw, th));
        prop_assert_eq!(out.len(), tw * th * 3);
        prop_assert!(out.chunks_exact(3).all(|pixel| pixel == value));
    }
}
