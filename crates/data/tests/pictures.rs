//! Pictures of every kind that people bring: the pixels are Pillow's, and what is no picture is
//! refused by name.
//!
//! `fixtures/pictures/make_pictures.py` makes the files and Pillow's pixels.
#![allow(clippy::unwrap_used, missing_docs)]

use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::PathBuf;
use toolkit_data::{Alpha, decode, decode_as, is_picture, unread_picture};

/// Pillow's pixels of a picture.
#[derive(Deserialize)]
struct Right {
    size: (u32, u32),
    ends: [[u8; 3]; 2],
    sha256: String,
}

fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/fixtures/pictures", name].iter().collect()
}

fn read<T: for<'a> Deserialize<'a>>(name: &str) -> BTreeMap<String, T> {
    serde_json::from_slice(&std::fs::read(path(name)).unwrap()).unwrap()
}

#[test]
fn pixels_are_those_of_pillow() {
    let right: BTreeMap<String, Right> = read("right.json");
    let mut wrong = vec![];
    for (name, right) in &right {
        assert!(is_picture(name), "{name}");
        let picture = match decode_as(path(name), Alpha::Drop) {
            Ok(picture) => picture,
            Err(error) => {
                wrong.push(error.to_string());
                continue;
            }
        };
        let last = picture.len() - 3;
        let ends = [&picture.as_raw()[..3], &picture.as_raw()[last..]];
        if picture.dimensions() != right.size || ends != right.ends {
            wrong.push(format!(
                "{name}: {:?} {ends:?}, right is {:?} {:?}",
                picture.dimensions(),
                right.size,
                right.ends
            ));
        } else if Sha256::digest(picture.as_raw())
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect::<String>()
            != right.sha256
        {
            wrong.push(format!("{name}: other pixels"));
        }
    }
    assert!(right.len() >= 100 && wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_is_no_picture_is_refused_by_name() {
    for (name, said) in read::<String>("refused.json") {
        let error = decode(path(&name)).unwrap_err().to_string();
        assert!(
            error.contains(&said) && error.contains(&name) && error.contains("hint: "),
            "{name}: {error}"
        );
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn transparency_is_laid_on_white() {
    for (name, at) in [("offset_clear.gif", (0, 0)), ("offset_clear.gif", (6, 6))] {
        assert_eq!(
            decode(path(name)).unwrap().get_pixel(at.0, at.1).0,
            [255; 3],
            "{name} at {at:?}"
        );
    }
    assert_ne!(decode(path("offset.gif")).unwrap().get_pixel(0, 0).0, [255; 3]);
}

#[cfg(unix)]
#[test]
fn pipes_and_folders_are_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("a.png");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for path in [pipe.as_path(), dir.path(), std::path::Path::new("/dev/zero")] {
        assert!(
            decode(path).unwrap_err().to_string().contains("cannot read"),
            "{}",
            path.display()
        );
    }
    assert_eq!(unread_picture(&pipe), None);
}

/// Damaged files are errors or pictures, never more: bytes changed, or the end cut off.
/// `FUZZ_ROUNDS` says how often.
#[test]
fn damaged_pictures_do_no_harm() {
    let rounds = std::env::var("FUZZ_ROUNDS").map_or(60, |rounds| rounds.parse().unwrap());
    let mut draw = toolkit_seed::Stream::new(17, "damage", 0);
    for name in read::<Right>("right.json").keys() {
        let whole = std::fs::read(path(name)).unwrap();
        for _ in 0..rounds {
            let mut bytes = whole.clone();
            for _ in 0..1 + draw.below(3) {
                let at = draw.below(bytes.len());
                // Headers are at the beginning.
                let at = if draw.below(2) == 0 { at % 64.min(bytes.len()) } else { at };
                match draw.below(4) {
                    0 => bytes.truncate(at.max(1)),
                    1 => bytes[at] = draw.below(256) as u8,
                    2 => bytes[at] ^= 1 << draw.below(8),
                    _ => bytes[at] = 0xff,
                }
            }
            if let Err(error) = toolkit_data::decode_bytes(&bytes, name.as_ref()) {
                let said = error.to_string();
                // Decoders of others may panic, and then are caught; what is ours may not.
                let ours = said.contains("defect: src/image/") || said.contains("defect: image/");
                assert!(!ours && said.lines().count() == 1, "{said}");
            }
        }
    }
}

/// A TIFF of one grey pixel of 32 bits, of the format of samples `kind`.
fn wide_tiff(kind: u16) -> Vec<u8> {
    let tags: [(u16, u16); 9] = [
        (256, 1),
        (257, 1),
        (258, 32),
        (259, 1),
        (262, 1),
        (273, 122),
        (277, 1),
        (279, 4),
        (339, kind),
    ];
    let mut bytes = b"II*\0\x08\0\0\0\x09\0".to_vec();
    for (tag, value) in tags {
        bytes.extend(tag.to_le_bytes());
        bytes.extend([3, 0, 1, 0, 0, 0]);
        bytes.extend(u32::from(value).to_le_bytes());
    }
    bytes.extend([0; 8]);
    bytes
}

#[test]
fn wide_samples_are_named_as_they_are() {
    for (kind, said) in [
        (1, "samples of 32 bits are not read in a TIFF"),
        (2, "whole numbers with signs of 32 bits are not read in a TIFF"),
        (3, "floats of 32 bits are not read in a TIFF"),
    ] {
        let error =
            toolkit_data::decode_bytes(&wide_tiff(kind), "a.tif".as_ref()).unwrap_err().to_string();
        assert!(error.contains(said), "{kind}: {error}");
    }
}
