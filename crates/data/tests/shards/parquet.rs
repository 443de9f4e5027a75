//! Parquet files: as pyarrow reads them (`tests/fixtures/make_parquet.py`), and damaged.

use super::make::Place;
use proptest::prelude::*;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toolkit_data::{DataError, Dataset, Fault, Opening, ShardForm, ShardOptions, Shards};

#[derive(Deserialize)]
struct Row {
    row: usize,
    sha256: String,
    captions: Vec<String>,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/parquet")
}

fn open(
    place: &Place,
    root: &Path,
    files: &str,
    options: ShardOptions,
) -> Result<Shards, DataError> {
    let options = ShardOptions { root: root.to_owned(), form: ShardForm::Parquet, ..options };
    Shards::open("parquet:t", &[files.to_owned()], &options, &Opening::new(place.index()))
}

#[test]
fn pictures_and_captions_are_those_of_pyarrow() {
    let expected: BTreeMap<String, Vec<Row>> =
        serde_json::from_slice(&std::fs::read(fixtures().join("expected.json")).unwrap()).unwrap();
    assert_eq!(expected.len(), 5);
    let place = Place::new();
    for (name, rows) in expected {
        let data = open(&place, &fixtures(), &name, ShardOptions::default()).unwrap();
        // A row without a text is left out where others have one.
        let rows: Vec<Row> = rows.into_iter().filter(|row| !row.captions.is_empty()).collect();
        assert_eq!(data.len(), rows.len(), "{name}");
        // Backwards, and again from pages that are kept.
        for at in (0..rows.len()).rev().chain(0..rows.len()) {
            let item = data.item(at);
            assert_eq!(item.id, format!("{name}/row{}", rows[at].row));
            assert_eq!(item.captions, rows[at].captions, "{name}");
            let file = data.picture_file(at).unwrap().unwrap();
            let sum: String =
                Sha256::digest(&file.bytes).iter().map(|b| format!("{b:02x}")).collect();
            assert_eq!(sum, rows[at].sha256, "{name}");
            assert_eq!(file.ending, ["png", "jpg", "webp"][rows[at].row % 3]);
            assert_eq!(data.image(at).unwrap().width(), 5);
        }
        let left_out = data.left_out();
        assert!(left_out[&Fault::MissingImage].count > 0, "{name}: {left_out:?}");
        let first = left_out[&Fault::MissingImage].examples[0].to_string();
        assert!(first.contains(&format!("{name}: row3")), "{first}");
        assert!(data.is_sequential() && data.shards()[0].samples > 20);
    }
}

#[test]
fn columns_are_named_or_guessed_and_refused_by_name() {
    let place = Place::new();
    let named = |file: &str, image: Option<&str>, caption: Option<&str>| {
        let (image, caption) = (image.map(str::to_owned), caption.map(str::to_owned));
        let options = ShardOptions { image, caption, ..ShardOptions::default() };
        open(&place, &fixtures(), file, options)
    };
    let data = named("struct-lz4.parquet", Some("image"), Some("captions")).unwrap();
    assert_eq!(data.item(0).captions, ["one 0", "twö 0"]);
    for (file, image, caption, wanted) in [
        ("struct-lz4.parquet", None, Some("alt"), "there is no column `alt` for `caption`"),
        (
            "struct-lz4.parquet",
            Some("captions"),
            None,
            "the column `captions` has no values for `image`",
        ),
        (
            "struct-snappy.parquet",
            None,
            Some("image"),
            "the column `image` has no values for `caption`",
        ),
    ] {
        let error = named(file, image, caption).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(error.contains(wanted) && error.contains("the columns are `"), "{error}");
        assert!(error.contains(file), "{error}");
    }
}

#[test]
fn files_that_are_damaged_are_counted_and_others_are_read() {
    let place = Place::new();
    let whole = std::fs::read(fixtures().join("struct-snappy.parquet")).unwrap();
    place.write("data/a.parquet", &whole);
    place.write("data/b.parquet", &whole[..whole.len() / 2]);
    place.write("data/c.parquet", b"");
    place.write("data/d.txt", b"no shard");
    let data = open(&place, place.dir.path(), "data", ShardOptions::default()).unwrap();
    assert_eq!((data.len(), data.shards().len()), (22, 3));
    let damaged = &data.left_out()[&Fault::DamagedFile];
    assert_eq!(damaged.count, 2);
    assert!(damaged.examples[0].to_string().contains("b.parquet"), "{:?}", damaged.examples);
    let error = open(&place, place.dir.path(), "data/c.parquet", ShardOptions::default());
    let error = error.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("no picture can be used") && error.contains("hint: "), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any bytes may be changed: what is found can be read or is an error, and nothing panics.
    #[test]
    fn changed_bytes_end_in_counts(
        file in 0..5_usize,
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8),
        cut in proptest::option::of(any::<proptest::sample::Index>()),
    ) {
        let names = ["struct-snappy", "struct-zstd-v2", "binary-lists-gzip", "binary-lists-plain", "struct-lz4"];
        let path = fixtures().join(format!("{}.parquet", names[file]));
        let mut bytes = std::fs::read(path).unwrap();
        for (at, byte) in changes {
            let length = bytes.len();
            bytes[at.index(length)] = byte;
        }
        if let Some(cut) = cut {
            let length = bytes.len();
            bytes.truncate(cut.index(length));
        }
        let place = Place::new();
        place.write("a.parquet", &bytes);
        match open(&place, place.dir.path(), "a.parquet", ShardOptions::default()) {
            Ok(data) => {
                for at in 0..data.len() {
                    std::hint::black_box((data.item(at), data.image(at).is_ok()));
                }
            }
            Err(error) => prop_assert!(!error.to_string().contains('\n'), "{}", error),
        }
    }
}
