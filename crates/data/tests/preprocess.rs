//! Pixels of processors that keep proportions and take the middle.
#![allow(clippy::unwrap_used, missing_docs)]

use image::RgbImage;
use proptest::prelude::*;
use serde::Deserialize;
use toolkit_data::{Alpha, Dataset, Fit, Folder, Preprocess, resize};

#[derive(Deserialize)]
struct Case {
    from: (u32, u32),
    kind: String,
    to: u32,
    crop: u32,
    seed: u32,
    pixels: String,
}

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

/// The generator of `fixtures/make_resize.py`.
fn picture((width, height): (u32, u32), seed: u32) -> RgbImage {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        match (state >> 24) as u8 {
            0..60 => 0,
            201.. => 255,
            value => value,
        }
    };
    RgbImage::from_raw(width, height, (0..width * height * 3).map(|_| next()).collect()).unwrap()
}

/// The 8-bit values behind normalised ones, row by row, which are those that the encoder sees.
fn bytes(preprocess: Preprocess, image: &RgbImage) -> Vec<u8> {
    let plain = Preprocess { mean: [0.0; 3], std: [1.0; 3], ..preprocess };
    let values = plain.apply(image);
    let area = values.len() / 3;
    let bytes: Vec<u8> = (0..area)
        .flat_map(|at| [0, 1, 2].map(|c| (values[c * area + at] * 255.0).round() as u8))
        .collect();
    assert_eq!(&bytes, preprocess.seen(image).as_raw());
    bytes
}

#[test]
fn crops_are_those_of_transformers_to_the_byte() {
    let fixture: Fixture = serde_json::from_str(include_str!("fixtures/crop.json")).unwrap();
    assert_eq!(fixture.cases.len(), 24);
    for case in fixture.cases {
        let fit = match case.kind.as_str() {
            "shortest_edge" => Fit::ShortestEdgeThenCrop(case.to),
            _ => Fit::StretchThenCrop(case.to),
        };
        let preprocess = Preprocess { fit, ..Preprocess::square(case.crop, [0.0; 3], [1.0; 3]) };
        let ours = bytes(preprocess, &picture(case.from, case.seed));
        let ours: String = ours.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(ours, case.pixels, "{:?}, {fit:?}, crop {}", case.from, case.crop);
    }
}

#[test]
fn a_long_narrow_picture_costs_little() {
    // Its edges would be 224 x 3,670,016: 2.5 GB.
    let long = RgbImage::from_pixel(1, 16_384, image::Rgb([9, 99, 199]));
    let fit = Fit::ShortestEdgeThenCrop(224);
    let preprocess = Preprocess { fit, ..Preprocess::square(224, [0.0; 3], [1.0; 3]) };
    let made = bytes(preprocess, &long);
    assert_eq!(made.len(), 3 * 224 * 224);
    assert!(made.chunks_exact(3).all(|pixel| pixel == [9, 99, 199]));
    for (width, height, edge, size) in [(0, 5, 4, 4), (5, 0, 4, 4), (5, 5, 0, 4), (5, 5, 4, 0)] {
        let nothing = Preprocess { size, fit: Fit::ShortestEdgeThenCrop(edge), ..preprocess };
        assert_eq!(
            nothing.apply(&RgbImage::new(width, height)),
            vec![0.0; (3 * size * size) as usize]
        );
    }
}

#[test]
fn the_key_of_stretching_is_the_old_one() {
    let square = Preprocess::square(224, [0.5; 3], [0.25; 3]);
    assert_eq!(square.key(), "224 [0.5, 0.5, 0.5] [0.25, 0.25, 0.25]");
    let other = Preprocess { fit: Fit::ShortestEdgeThenCrop(224), ..square };
    assert_eq!(other.key(), "224 [0.5, 0.5, 0.5] [0.25, 0.25, 0.25] ShortestEdgeThenCrop(224)");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// A window of a resize is the same bytes as the window out of the whole of it.
    #[test]
    fn windows_are_cut_out_of_the_whole(
        seed in 1..u32::MAX, w in 1..80_u32, h in 1..80_u32, edge in 1..40_u32, size in 1..40_u32, square: bool,
    ) {
        let image = picture((w, h), seed);
        let long = |long: u32, short: u32| edge * long / short;
        let (fit, (width, height)) = match (square, w <= h) {
            (true, _) => (Fit::StretchThenCrop(edge), (edge, edge)),
            (false, true) => (Fit::ShortestEdgeThenCrop(edge), (edge, long(h, w))),
            (false, false) => (Fit::ShortestEdgeThenCrop(edge), (long(w, h), edge)),
        };
        let whole = resize::<3>(&image, (w as usize, h as usize), (width as usize, height as usize));
        let made = bytes(Preprocess { fit, ..Preprocess::square(size, [0.0; 3], [1.0; 3]) }, &image);
        // Where transformers puts the first place, in coordinates of the whole.
        let first = |length: u32| (i64::from(length) - i64::from(size)).div_euclid(2);
        for (at, pixel) in made.chunks_exact(3).enumerate() {
            let x = first(width) + at as i64 % i64::from(size);
            let y = first(height) + at as i64 / i64::from(size);
            let inside = (0..i64::from(width)).contains(&x) && (0..i64::from(height)).contains(&y);
            let place = 3 * (y * i64::from(width) + x);
            let wanted = if inside { &whole[place as usize..place as usize + 3] } else { &[0, 0, 0][..] };
            prop_assert_eq!(pixel, wanted, "{} of {:?}", at, fit);
        }
    }
}

#[test]
fn a_data_set_gives_pictures_as_a_model_takes_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/clear.png");
    std::fs::copy(file, folder.path().join("clear.png")).unwrap();
    let data = Folder::open(folder.path()).unwrap();
    let first = |image: RgbImage| image.get_pixel(0, 0).0;
    assert_eq!(first(data.image(0).unwrap()), [255; 3]);
    assert_eq!(first(data.image_as(0, Alpha::OnWhite).unwrap()), [255; 3]);
    // What lies under a transparent pixel, as published processors take it.
    assert_eq!(first(data.image_as(0, Alpha::Drop).unwrap()), [0, 200, 0]);
    assert!(data.image_as(1, Alpha::Drop).is_err());
}
