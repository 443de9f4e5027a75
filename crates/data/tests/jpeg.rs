//! JPEGs of every kind against the pixels that Pillow makes of them, `fixtures/jpeg/right.json`.
#![allow(clippy::unwrap_used, missing_docs)]

use proptest::prelude::*;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use toolkit_data::decode_bytes;

/// Right answers for each file.
#[derive(Deserialize)]
struct Right {
    /// Width, height and SHA-256 of the RGB pixels.
    read: BTreeMap<String, (u32, u32, String)>,
    /// Words of the reason.
    refused: BTreeMap<String, String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/jpeg")
}

fn right() -> Right {
    serde_json::from_slice(&std::fs::read(folder().join("right.json")).unwrap()).unwrap()
}

fn file(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(format!("{name}.jpg"))).unwrap()
}

fn pixels(bytes: &[u8]) -> Result<(u32, u32, String), String> {
    let picture =
        decode_bytes(bytes, Path::new("picture.jpg")).map_err(|error| error.to_string())?;
    let hash = Sha256::digest(picture.as_raw()).iter().fold(String::new(), |mut hash, byte| {
        write!(hash, "{byte:02x}").unwrap();
        hash
    });
    Ok((picture.width(), picture.height(), hash))
}

#[test]
fn pixels_are_those_of_pillow() {
    let right = right().read;
    assert!(right.len() > 80, "{}", right.len());
    let wrong: Vec<_> = right
        .into_iter()
        .map(|(name, right)| (pixels(&file(&name)), name, right))
        .filter(|(read, _, right)| read.as_ref() != Ok(right))
        .map(|(read, name, _)| format!("{name}: {read:?}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_not_read_is_refused_with_its_reason() {
    let right = right().refused;
    assert!(right.len() > 10, "{}", right.len());
    for (name, reason) in right {
        let error = pixels(&file(&name)).expect_err(&name);
        assert!(error.contains(&reason) && error.contains("picture.jpg"), "{name}: {error}");
        assert_eq!(error.lines().count(), 1, "{name}: {error}");
    }
}

#[test]
fn two_bytes_of_the_end_may_be_missing() {
    for name in [
        "ycc_444",
        "ycc_420_1x1",
        "ycc_restart",
        "ycck_420_90",
        "ycc_two_scans",
        "cmyk_four_scans",
        "grey_2x2",
    ] {
        let bytes = file(name);
        assert_eq!(pixels(&bytes[..bytes.len() - 2]), pixels(&bytes), "{name}");
        let cut = pixels(&bytes[..bytes.len() - 40]).expect_err(name);
        assert!(cut.contains("cut off"), "{name}: {cut}");
    }
}

/// Half of the scans are lost, and the end was put back: no noise comes out.
#[test]
fn cut_progressive_pictures_are_refused() {
    for name in ["ycc_progressive", "cmyk_progressive", "ycck_progressive"] {
        let bytes = file(name);
        let cut = [&bytes[..bytes.len() * 3 / 4], &[0xff, 0xd9]].concat();
        let error = pixels(&cut).expect_err(name);
        assert!(error.contains("damaged or cut off"), "{name}: {error}");
    }
}

/// The last bytes of a flat picture hold many of its blocks, so a decoder that reads ahead is soon
/// at the end.
#[test]
fn a_flat_picture_may_miss_its_end_too() {
    use libjpeg_turbo_rs::{PixelFormat, Subsampling, compress};
    let bytes =
        compress(&[77; 3 * 65 * 65], 65, 65, PixelFormat::Rgb, 90, Subsampling::S444).unwrap();
    assert!(
        libjpeg_turbo_rs::decompress(&bytes[..bytes.len() - 2]).is_err(),
        "the crate reads it now"
    );
    assert_eq!(pixels(&bytes[..bytes.len() - 2]), pixels(&bytes));
    assert!(pixels(&bytes).is_ok());
}

#[test]
fn many_scans_of_a_large_picture_are_refused() {
    let bytes = file("ycc_two_scans");
    let places: Vec<usize> =
        (0..bytes.len() - 1).filter(|&at| bytes[at..].starts_with(&[0xff, 0xda])).collect();
    let [_, second] = places[..] else { panic!("{places:?}") };
    let frame = (0..bytes.len() - 1).find(|&at| bytes[at..].starts_with(&[0xff, 0xc0])).unwrap();
    let mut large = bytes[..second].to_vec();
    large[frame + 5..frame + 9].copy_from_slice(&[0x20, 0, 0x20, 0]);
    // As many bits as the first scan needs at the least, so that the file is not too short for its
    // size.
    large.resize(300_000, 0x11);
    for _ in 0..1_000 {
        large.extend(&bytes[second..]);
        large.truncate(large.len() - 2);
    }
    let error = pixels(&large).unwrap_err();
    assert!(error.contains("8192 x 8192 pixels in 1001 scans"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Damages files in many ways: each still gives pixels or a reason, and nothing else.
    #[test]
    fn damaged_files_give_pixels_or_a_reason(
        which in 0..200usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4u8), 1..6),
    ) {
        let names: Vec<String> = right().read.into_keys().collect();
        let mut bytes = file(&names[which % names.len()]);
        for (at, value, how) in changes {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = value,
                1 => bytes[at] ^= 1 << (value % 8),
                2 => drop(bytes.drain(at..(at + usize::from(value % 16)).min(bytes.len() - 1).max(at))),
                _ => bytes.insert(at, value),
            }
        }
        if let Err(error) = pixels(&bytes) {
            prop_assert!(error.contains("picture.jpg") && error.lines().count() == 1, "{}", error);
        }
    }
}
