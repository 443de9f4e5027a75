//! safetensors files, shards and folders.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{assert_expected, check, fixture};
use std::fs;
use std::path::Path;
use toolkit_formats::{Dtype, Format, Tensors};

fn is_shared<T: Send + Sync + Clone>() {}

#[test]
fn all_types_are_read() {
    is_shared::<Tensors>();
    let tensors = check("types.safetensors", "types.safetensors");
    assert_eq!(tensors.format(), Format::Safetensors);
    assert_eq!(tensors.metadata()["note"], "two\nlines");
    assert_eq!(tensors.byte_len(), fs::metadata(fixture("types.safetensors")).unwrap().len());
    assert_eq!(tensors.info("bf16").unwrap().dtype, Dtype::Bf16);
}

#[test]
fn shards_are_read_by_folder_or_index() {
    for (folder, index, format) in [
        ("sharded-safetensors", "model.safetensors.index.json", Format::Safetensors),
        ("sharded-bin", "pytorch_model.bin.index.json", Format::TorchZip),
    ] {
        let tensors = check(folder, "types.safetensors");
        assert_eq!((tensors.format(), tensors.path()), (format, fixture(folder).as_path()));
        let files = fs::read_dir(fixture(folder)).unwrap().map(|file| file.unwrap());
        let shards = files.filter(|file| !file.file_name().to_string_lossy().ends_with("json"));
        assert_eq!(
            tensors.byte_len(),
            shards.map(|file| file.metadata().unwrap().len()).sum::<u64>()
        );
        assert_expected(&Tensors::open(&fixture(folder).join(index)).unwrap(), "types.safetensors");
    }
}

/// Opens a good folder with `map` as its index. Returns the count of tensors or the error.
fn with_index(map: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(fixture("types.safetensors"), folder.path().join("good.safetensors")).unwrap();
    fs::write(
        folder.path().join("model.safetensors.index.json"),
        format!("{{\"weight_map\": {map}}}"),
    )
    .unwrap();
    match Tensors::open(folder.path()) {
        Ok(tensors) => format!("{} tensors", tensors.names().count()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn shards_stay_in_their_folder() {
    assert_eq!(with_index(r#"{"f32": "good.safetensors", "i8": "good.safetensors"}"#), "2 tensors");
    for name in [
        "../good.safetensors",
        "/etc/passwd",
        "a/../../b",
        "",
        ".",
        "..",
        "C:\\\\x",
        "a\\\\..\\\\b",
        "./x",
        "a//b",
    ] {
        let error = with_index(&format!(r#"{{"f32": "{name}"}}"#));
        assert!(error.contains("outside the folder of the index"), "{name}: {error}");
    }
    assert!(with_index(r#"{"f32": "missing.safetensors"}"#).starts_with("cannot read"));
    assert!(
        with_index(r#"{"other": "good.safetensors"}"#)
            .starts_with("tensor `other` is not in its shard")
    );
    assert!(with_index("{}").starts_with("the index names no tensors"));
    assert!(with_index("[1]").starts_with("bad index of shards"));
    assert!(with_index(r#"{"f32": 3}"#).starts_with("bad index of shards"));
}

#[test]
fn a_damaged_header_is_refused() {
    let good = fs::read(fixture("types.safetensors")).unwrap();
    let open = |bytes: Vec<u8>| {
        Tensors::from_bytes("x", bytes).map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(open(good.clone()), Ok(()));
    for cut in [0, 5, 9, 100, good.len() - 1] {
        assert!(open(good[..cut].to_vec()).is_err(), "{cut}");
    }
    let mut long = good.clone();
    long.push(0);
    assert!(open(long).unwrap_err().starts_with("bad safetensors header"));
    let mut claim = good;
    claim[..8].copy_from_slice(&99_999_999u64.to_le_bytes());
    assert!(open(claim).unwrap_err().starts_with("bad safetensors header"));
}

/// A file of empty tensors, `count` of them.
fn many(count: usize) -> Vec<u8> {
    let tensors = (0..count)
        .map(|i| format!(r#""{i}\"}}{{":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#));
    let all: Vec<String> =
        std::iter::once(r#""__metadata__":{"a":"{{"}"#.to_owned()).chain(tensors).collect();
    let header = format!("{{{}}}", all.join(","));
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat()
}

#[test]
fn more_tensors_than_any_model_has_are_refused() {
    assert_eq!(Tensors::from_bytes("x", many(100_000)).unwrap().names().count(), 100_000);
    for count in [100_001, 300_000] {
        let error = Tensors::from_bytes("x", many(count)).unwrap_err().to_string();
        assert!(
            error.starts_with(
                "this file has more than 100000 tensors, which no model has --> x; hint: "
            ),
            "{error}"
        );
    }
}

#[cfg(unix)]
#[test]
fn a_link_to_nothing_is_not_passed_over_for_other_weights() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(fixture("types.safetensors"), folder.path().join("model.safetensors")).unwrap();
    std::os::unix::fs::symlink("gone", folder.path().join("pytorch_model.bin")).unwrap();
    assert!(Tensors::open(folder.path()).is_ok(), "weights behind the first are not looked at");
    fs::remove_file(folder.path().join("model.safetensors")).unwrap();
    fs::copy(fixture("types.safetensors"), folder.path().join("pytorch_model.bin.index.json"))
        .unwrap();
    let error = Tensors::open(folder.path()).unwrap_err().to_string();
    assert!(
        error.starts_with("cannot read: this is a link to nothing --> ")
            && error.contains("pytorch_model.bin;")
    );
}

#[test]
fn other_files_are_told_apart() {
    for (bytes, what) in [
        (&b""[..], "the file is empty"),
        (b"version https://git-lfs", "this is a Git LFS pointer"),
        (b"\n<!DOCTYPE html>", "this is a web page"),
        (b"{\"a\": 1}", "this is JSON"),
        (b"\x80\x04N.", "this is a pickle, but not one that PyTorch wrote"),
        (b"hello", "unknown file format"),
        (b"PK\x03\x04", "a zip archive without a directory"),
    ] {
        let error = Tensors::from_bytes("some file", bytes.to_vec()).unwrap_err().to_string();
        assert!(error.starts_with(what) && error.contains("--> some file"), "{error}");
    }
    let folder = tempfile::tempdir().unwrap();
    assert!(
        Tensors::open(folder.path())
            .unwrap_err()
            .to_string()
            .starts_with("no weights in this folder")
    );
    assert!(
        Tensors::open(Path::new("/no/such/file"))
            .unwrap_err()
            .to_string()
            .starts_with("cannot read")
    );
}

#[test]
fn an_index_may_have_a_mark_and_is_not_utf_16() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(fixture("types.safetensors"), folder.path().join("good.safetensors")).unwrap();
    let index = folder.path().join("model.safetensors.index.json");
    let text = "\u{feff}{\"weight_map\": {\"f32\": \"good.safetensors\"}}";
    fs::write(&index, text).unwrap();
    assert_eq!(Tensors::open(folder.path()).unwrap().names().collect::<Vec<_>>(), ["f32"]);
    fs::write(&index, text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>()).unwrap();
    let error = Tensors::open(folder.path()).unwrap_err().to_string();
    assert!(
        error.starts_with("this is UTF-16 --> ") && error.ends_with("hint: save the file as UTF-8"),
        "{error}"
    );
}
