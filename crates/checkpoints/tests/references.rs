//! A reference that holds no finite number agrees with nothing.
#![allow(clippy::unwrap_used, missing_docs)]

use burn::tensor::Device;
use std::path::{Path, PathBuf};
use toolkit_checkpoints::CheckpointError;
use toolkit_checkpoints::verify::{Report, Subject, verify};
use toolkit_checkpoints::{Loading, open};

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/blip2-itm-tiny")
}

/// The reference with `value` as the value `at` of every float tensor whose name begins with
/// `prefix`.
fn spoilt(prefix: &str, at: usize, value: f32) -> (tempfile::TempDir, PathBuf) {
    let mut bytes = std::fs::read(fixture().join("reference.safetensors")).unwrap();
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let entries: serde_json::Value = serde_json::from_slice(&bytes[8..8 + header]).unwrap();
    for (name, entry) in entries.as_object().unwrap() {
        if name.starts_with(prefix) && entry["dtype"] == "F32" {
            let [begin, end] = [0, 1].map(|i| entry["data_offsets"][i].as_u64().unwrap() as usize);
            let place = 8 + header + (begin + 4 * at).min(end - 4);
            bytes[place..place + 4].copy_from_slice(&value.to_le_bytes());
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("reference.safetensors");
    std::fs::write(&file, bytes).unwrap();
    (dir, file)
}

fn compare(reference: &Path) -> Result<Report, CheckpointError> {
    let open =
        |device: &Device, frozen: bool| open(fixture(), Loading { frozen, ..Loading::on(device) });
    verify(&Subject { folder: fixture(), open: &open }, Some(reference), &Device::flex())
}

#[test]
fn outputs_that_are_not_finite_are_no_pass() {
    assert!(compare(&fixture().join("reference.safetensors")).unwrap().holds());
    for (value, word) in [(f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf"), (f32::NAN, "NaN")] {
        let (_dir, file) = spoilt("output/", 0, value);
        let report = compare(&file).unwrap();
        assert!(!report.holds() && report.tensors.len() == 4);
        for row in &report.tensors {
            let note = row.note.clone().unwrap_or_default();
            assert!(
                !row.ok && note.starts_with(&format!("the reference holds {word} at [0")),
                "{row:?}"
            );
            assert_eq!((row.largest_difference, row.relative_difference), (None, None));
        }
        // One tensor, at another place, which is named.
        let (_dir, file) = spoilt("output/itc.text_embeds", 25, value);
        let report = compare(&file).unwrap();
        let wrong: Vec<_> = report.tensors.iter().filter(|row| !row.ok).collect();
        assert_eq!(wrong.len(), 1);
        assert_eq!(wrong[0].name, "itc.text_embeds");
        assert_eq!(
            wrong[0].note.as_deref(),
            Some(&*format!("the reference holds {word} at [1, 1]"))
        );
    }
    // A large number is a number: what is off by it differs.
    let (_dir, file) = spoilt("output/", 0, 3e38);
    assert!(
        compare(&file)
            .unwrap()
            .tensors
            .iter()
            .all(|row| !row.ok && row.largest_difference.is_some())
    );
}

#[test]
fn inputs_that_are_not_finite_are_an_error() {
    let (_dir, file) = spoilt("input/pixel_values", 3, f32::NAN);
    let error = compare(&file).unwrap_err().to_string();
    assert!(
        error.contains("`input/pixel_values` holds NaN at [0, 0, 0, 3]")
            && error.contains("hint: "),
        "{error}"
    );
}
