//! Augmented pictures are those of torchvision, Pillow and LAVIS to the byte, for given draws; draws
//! depend on seed, sample and pass alone.
#![allow(clippy::unwrap_used, missing_docs)]

use image::RgbImage;
use proptest::prelude::*;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use toolkit_data::{
    Augment, AugmentDraw, CropBox, Operation, OperationName, Preprocess, RandAugment, resize,
};

const MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
const STD: [f32; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];

#[derive(Deserialize)]
struct Crop {
    size: (u32, u32),
    seed: u32,
    r#box: [u32; 4],
    to: u32,
    flip: bool,
    pixels: String,
}

#[derive(Deserialize)]
struct OperationCase {
    side: u32,
    range: (u32, u32),
    seed: u32,
    name: String,
    level: u32,
    negative: bool,
    sha256: String,
}

#[derive(Deserialize)]
struct Whole {
    size: (u32, u32),
    seed: u32,
    r#box: [u32; 4],
    to: u32,
    flip: bool,
    names: Vec<String>,
    sha256: String,
}

#[derive(Deserialize)]
struct Fixture {
    crops: Vec<Crop>,
    operations: Vec<OperationCase>,
    whole: Vec<Whole>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("fixtures/augment.json")).unwrap()
}

/// The generator of `fixtures/make_augment.py`.
fn picture((width, height): (u32, u32), seed: u32, (least, most): (u32, u32)) -> RgbImage {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let value = match state >> 24 {
            0..60 => 0,
            201.. => 255,
            value => value,
        };
        (least + value * (most - least) / 255) as u8
    };
    RgbImage::from_raw(width, height, (0..width * height * 3).map(|_| next()).collect()).unwrap()
}

fn crop_box([left, top, width, height]: [u32; 4]) -> Option<CropBox> {
    Some(CropBox { left, top, width, height })
}

fn name(name: &str) -> OperationName {
    OperationName::ALL.into_iter().find(|one| format!("{one:?}") == name).unwrap()
}

/// The 8-bit values behind normalised ones, row by row.
fn bytes(image: &RgbImage, side: u32, drawn: &AugmentDraw) -> Vec<u8> {
    interleaved(&Preprocess::square(side, [0.0; 3], [1.0; 3]).apply_drawn(image, drawn))
}

fn interleaved(values: &[f32]) -> Vec<u8> {
    let area = values.len() / 3;
    let byte = |at: usize, channel: usize| (values[channel * area + at] * 255.0).round() as u8;
    (0..area).flat_map(|at| [0, 1, 2].map(|channel| byte(at, channel))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn crops_and_flips_are_those_of_torchvision_to_the_byte() {
    let crops = fixture().crops;
    assert_eq!(crops.len(), 12);
    for case in crops {
        let image = picture(case.size, case.seed, (0, 255));
        let drawn =
            AugmentDraw { crop: crop_box(case.r#box), flip: case.flip, operations: Vec::new() };
        let made = hex(&bytes(&image, case.to, &drawn));
        assert_eq!(made, case.pixels, "{:?} of {:?} to {}", case.r#box, case.size, case.to);
    }
}

#[test]
fn operations_are_those_of_pillow_and_lavis_to_the_byte() {
    let operations = fixture().operations;
    assert_eq!(operations.len(), 441);
    for case in operations {
        let image = picture((case.side, case.side), case.seed, case.range);
        let operation =
            Operation { name: name(&case.name), level: case.level, negative: case.negative };
        let drawn = AugmentDraw { operations: vec![operation], ..AugmentDraw::default() };
        let made = hex(&Sha256::digest(bytes(&image, case.side, &drawn)));
        assert_eq!(made, case.sha256, "{operation:?} of side {}", case.side);
    }
}

#[test]
fn the_whole_way_gives_the_numbers_of_torchvision() {
    let cases = fixture().whole;
    assert_eq!(cases.len(), 5);
    for case in cases {
        let image = picture(case.size, case.seed, (0, 255));
        let operations = case.names.iter().map(|one| Operation {
            name: name(one),
            level: 5,
            negative: case.flip,
        });
        let drawn = AugmentDraw {
            crop: crop_box(case.r#box),
            flip: case.flip,
            operations: operations.collect(),
        };
        let values = Preprocess::square(case.to, MEAN, STD).apply_drawn(&image, &drawn);
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(hex(&Sha256::digest(bytes)), case.sha256, "{:?}", case.names);
    }
}

#[test]
fn without_augmentation_nothing_changes_and_nothing_is_drawn() {
    let preprocess = Preprocess::square(16, MEAN, STD);
    let image = picture((31, 20), 5, (0, 255));
    let mut draws = Augment::draws(1, 2, 3);
    let none = preprocess.apply_augmented(&image, &Augment::default(), &mut draws);
    assert_eq!(none, preprocess.apply(&image));
    assert_eq!(draws.next_u64(), Augment::draws(1, 2, 3).next_u64());
    let augment = Augment::preset("blip_image_train").unwrap();
    for empty in [(0, 0), (5, 0), (0, 5)] {
        let values =
            preprocess.apply_augmented(&RgbImage::new(empty.0, empty.1), &augment, &mut draws);
        assert_eq!(values, vec![0.0; 3 * 16 * 16]);
    }
    let nothing = Preprocess::square(0, MEAN, STD);
    assert!(nothing.apply_augmented(&image, &augment, &mut draws).is_empty());
}

/// Pinned: a change here changes every result with augmentation.
#[test]
fn draws_are_pinned() {
    let augment = Augment::preset("blip_image_train").unwrap();
    let drawn = augment.draw((640, 480), &mut Augment::draws(1, 2, 10));
    let operation = Operation { name: OperationName::Sharpness, level: 5, negative: true };
    let wanted =
        AugmentDraw { crop: crop_box([39, 7, 479, 450]), flip: false, operations: vec![operation] };
    assert_eq!(drawn, wanted);
}

#[test]
fn draws_have_the_distribution_of_lavis() {
    let augment = Augment::preset("blip_image_train").unwrap();
    let (width, height) = (640, 480);
    let (mut flips, mut areas, mut logs) = (0, Vec::new(), Vec::new());
    let (mut done, mut negative) = ([0_usize; 10], 0);
    for sample in 0..4000 {
        let drawn = augment.draw((width, height), &mut Augment::draws(7, sample, 0));
        let part = drawn.crop.unwrap();
        assert!(part.left + part.width <= width && part.top + part.height <= height);
        areas.push(f64::from(part.width * part.height) / f64::from(width * height));
        logs.push(libm::log(f64::from(part.width) / f64::from(part.height)));
        flips += usize::from(drawn.flip);
        for operation in drawn.operations {
            assert_eq!(operation.level, 5);
            done[OperationName::ALL.iter().position(|&one| one == operation.name).unwrap()] += 1;
            negative += usize::from(operation.negative);
        }
    }
    assert!((1850..2150).contains(&flips), "{flips} flips of 4000");
    // Rounding of the sides adds less than a hundredth.
    assert!(areas.iter().all(|area| (0.49..=1.0).contains(area)));
    let most = libm::log(4.0 / 3.0) + 0.01;
    assert!(logs.iter().all(|log| log.abs() <= most));
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    // Means of 20,000 boxes of torchvision for this size; the ranges are four standard errors.
    assert!((mean(&areas) - 0.6615).abs() < 0.008, "{}", mean(&areas));
    assert!((mean(&logs) - 0.0794).abs() < 0.010, "{}", mean(&logs));
    // Two of ten, each with one half.
    assert!(done.iter().all(|count| (320..480).contains(count)), "{done:?}");
    let all: usize = done.iter().sum();
    assert!((9 * all / 20..11 * all / 20).contains(&negative), "{negative} of {all}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Any picture, any settings: the right shape, and the same sample gives the same values.
    #[test]
    fn any_picture_is_augmented_and_again_to_the_same(
        w in 1..300_u32, h in 1..300_u32, narrow: bool, side in 1..40_u32, seed: u64, sample: u64,
        pass in 0..9_u64, m in 0..=10_u32, least in 0.01..1.0_f64,
    ) {
        let size = if narrow { (w, 1 + h % 3) } else { (w, h) };
        let image = picture(size, seed as u32, (0, 255));
        let randaugment = Some(RandAugment { n: 4, m });
        let augment = Augment { crop: Some([least, 1.0]), flip: 0.5, randaugment };
        let preprocess = Preprocess::square(side, MEAN, STD);
        let make = |pass| {
            preprocess.apply_augmented(&image, &augment, &mut Augment::draws(seed, sample, pass))
        };
        let values = make(pass);
        prop_assert_eq!(values.len(), (3 * side * side) as usize);
        prop_assert!(values.iter().all(|value| value.is_finite()));
        make(pass + 1);
        prop_assert_eq!(make(pass), values);
    }

    /// A part that is read where it lies gives what its copy gives; a box that leaves the picture is
    /// cut.
    #[test]
    fn parts_are_resized_as_their_copies(
        w in 1..90_u32, h in 1..90_u32, left in 0..100_u32, top in 0..100_u32, width in 0..100_u32,
        height in 0..100_u32, side in 1..40_u32, seed: u32,
    ) {
        let image = picture((w, h), seed, (0, 255));
        let (x, y) = (left.min(w - 1), top.min(h - 1));
        let (cut_width, cut_height) = (width.clamp(1, w - x), height.clamp(1, h - y));
        let copy = image::imageops::crop_imm(&image, x, y, cut_width, cut_height).to_image();
        let from = (cut_width as usize, cut_height as usize);
        let wanted = resize::<3>(&copy, from, (side as usize, side as usize));
        let drawn = AugmentDraw { crop: crop_box([left, top, width, height]), ..AugmentDraw::default() };
        prop_assert_eq!(bytes(&image, side, &drawn), wanted);
    }
}
