//! Picture files and folders: what is read, and what a user is told about files that cannot be.
#![allow(clippy::unwrap_used, missing_docs)]

use proptest::prelude::*;
use std::borrow::Cow;
use std::path::Path;
use toolkit_data::{Dataset, Folder, Item, decode, decode_bytes};

const FIXTURES: [(&str, &[u8]); 7] = [
    ("plain.png", include_bytes!("fixtures/plain.png")),
    ("clear.png", include_bytes!("fixtures/clear.png")),
    ("clear.webp", include_bytes!("fixtures/clear.webp")),
    ("plain.jpg", include_bytes!("fixtures/plain.jpg")),
    ("palette.png", include_bytes!("fixtures/palette.png")),
    ("grey.jpg", include_bytes!("fixtures/grey.jpg")),
    ("turned.jpg", include_bytes!("fixtures/turned.jpg")),
];

/// Returns an item of a data set that has its texts in memory.
fn item(data: &dyn Dataset, at: usize) -> &Item {
    match data.item(at) {
        Cow::Borrowed(item) => item,
        Cow::Owned(_) => panic!("texts are in memory"),
    }
}

fn near(a: image::Rgb<u8>, b: [u8; 3]) -> bool {
    a.0.iter().zip(b).all(|(a, b)| a.abs_diff(b) < 6)
}

#[test]
fn every_format_is_read() {
    let (red, blue, white) = ([220, 30, 40], [20, 40, 210], [255, 255, 255]);
    for (name, bytes) in FIXTURES {
        let picture = decode_bytes(bytes, Path::new(name)).unwrap();
        if name == "turned.jpg" {
            assert_eq!(picture.dimensions(), (8, 12), "upright as EXIF says");
            assert!(near(*picture.get_pixel(4, 1), red) && near(*picture.get_pixel(4, 10), blue));
            continue;
        }
        assert_eq!(picture.dimensions(), (12, 8), "{name}");
        if name.starts_with("palette") || name.starts_with("grey") {
            assert!(picture.pixels().all(|p| p[0] == p[1] && p[1] == p[2]), "{name}");
            continue;
        }
        let corner = if name.starts_with("clear") { white } else { red };
        assert!(near(*picture.get_pixel(1, 1), corner), "{name}: transparent becomes white");
        assert!(
            near(*picture.get_pixel(1, 6), red) && near(*picture.get_pixel(10, 6), blue),
            "{name}"
        );
    }
}

#[test]
fn broken_pictures_are_errors_of_one_line() {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in FIXTURES {
        let broken: [(&str, Vec<u8>); 4] = [
            ("empty", vec![]),
            ("half", bytes[..bytes.len() / 2].to_vec()),
            ("text", b"this is no picture".to_vec()),
            ("head", bytes[..12.min(bytes.len())].to_vec()),
        ];
        for (how, bytes) in broken {
            let path = dir.path().join(format!("{how}-{name}"));
            std::fs::write(&path, bytes).unwrap();
            let error = decode(&path).expect_err(&format!("{how} {name}")).to_string();
            assert!(error.contains(&format!("{how}-{name}")) && error.contains("hint:"), "{error}");
            assert_eq!(error.lines().count(), 1, "{error}");
        }
    }
    let error = decode(dir.path().join("absent.png")).unwrap_err().to_string();
    assert!(error.contains("absent.png") && error.contains("hint:"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn damaged_pictures_never_panic(which in 0..7_usize, at: prop::sample::Index, to: u8, cut: prop::sample::Index) {
        let mut bytes = FIXTURES[which].1.to_vec();
        let place = at.index(bytes.len());
        bytes[place] = to;
        let _ = decode_bytes(&bytes, Path::new("damaged"));
        bytes.truncate(cut.index(bytes.len()));
        let _ = decode_bytes(&bytes, Path::new("damaged"));
    }
}

fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    dir
}

#[test]
fn a_folder_is_read() {
    let lines = br#"{"image": "b.JPG", "captions": ["two colours"], "questions": [{"question": "how many?", "answers": ["2", "two"]}]}

{"image": "deep/c.webp", "questions": [{"question": "is it red?", "answers": ["yes"], "kind": "colour"}]}
"#;
    let files: [(&str, &[u8]); 7] = [
        ("a.png", FIXTURES[0].1),
        ("a.txt", b"red and blue\n\n a flag \r\n"),
        ("b.JPG", FIXTURES[3].1),
        ("deep/c.webp", FIXTURES[2].1),
        ("captions.jsonl", lines),
        ("bare.png", FIXTURES[1].1),
        ("notes.md", b"ignored"),
    ];
    let dir = folder(&files);
    let data = Folder::open(dir.path()).unwrap();
    let ids: Vec<&str> = (0..data.len()).map(|i| item(&data, i).id.as_str()).collect();
    assert_eq!(ids, ["a.png", "b.JPG", "bare.png", "deep/c.webp"]);
    assert_eq!(item(&data, 0).captions, ["red and blue", "a flag"]);
    assert_eq!(item(&data, 1).captions, ["two colours"]);
    assert!(item(&data, 2).captions.is_empty() && item(&data, 2).group == "all");
    let asked = &item(&data, 1).questions[0];
    assert_eq!(
        (asked.answer_type.as_str(), asked.kind.as_str(), asked.answers.len()),
        ("number", "other", 2)
    );
    let asked = &item(&data, 3).questions[0];
    assert_eq!(
        (asked.id, asked.answer_type.as_str(), asked.kind.as_str()),
        (1, "yes/no", "colour")
    );
    for index in 0..data.len() {
        assert_eq!(data.image(index).unwrap().dimensions(), (12, 8));
    }
    assert!(data.image(9).is_err());

    // The fingerprint sees content: same length, other bytes.
    let before = data.fingerprint();
    assert_eq!(before, Folder::open(dir.path()).unwrap().fingerprint());
    let mut bytes = FIXTURES[0].1.to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(dir.path().join("a.png"), bytes).unwrap();
    assert_ne!(before, Folder::open(dir.path()).unwrap().fingerprint());
    assert!(toolkit_data::contact_sheet(&data, 2).is_ok() || data.image(0).is_err());
}

#[test]
fn folder_errors_name_file_and_line() {
    let png = FIXTURES[0].1;
    let fine = r#"{"image": "a.png", "captions": ["x"]}"#;
    let cases: [(&str, &str); 5] = [
        (r#"{"image": "a.png", "captions": ["x"}"#, "captions.jsonl:2"),
        (r#"{"image": "a.png", "captions": 5}"#, "`captions` is 5, not a text"),
        (r#"{"image": "gone.png"}"#, "gone.png"),
        (
            r#"{"image": "a.png", "questions": [{"question": "q?", "answers": []}]}"#,
            "'q?' has no answer",
        ),
        (r#"{"captions": ["x"]}"#, "has no `image`; it has `captions`"),
    ];
    for (line, expected) in cases {
        let text = format!("{fine}\n{line}\n");
        let dir = folder(&[("a.png", png), ("captions.jsonl", text.as_bytes())]);
        let error = Folder::open(dir.path()).err().unwrap().to_string();
        assert!(
            error.contains(expected)
                && error.contains("captions.jsonl:2")
                && error.contains("hint:"),
            "{error}"
        );
    }
    let dir = folder(&[("a.png", png), ("a.txt", b"fine\n\xff\xfe")]);
    let error = Folder::open(dir.path()).err().unwrap().to_string();
    assert!(error.contains("a.txt:2") && error.contains("UTF-8"), "{error}");
    let dir = folder(&[("a.txt", b"no picture")]);
    assert!(Folder::open(dir.path()).err().unwrap().to_string().contains("no picture in"));
    assert!(Folder::open(&dir.path().join("gone")).err().unwrap().to_string().contains("gone"));
}
