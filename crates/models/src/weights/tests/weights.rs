//! safetensors: written, read, and refused.

use crate::weights::{StoredDtype, WeightsError, read_safetensors, write_safetensors};
use proptest::prelude::*;
use std::collections::BTreeMap;
use toolkit_core::params::Values;
use toolkit_system::digest::sha256_hex;

type Tensors = BTreeMap<String, Values>;

fn tensors() -> Tensors {
    let values =
        |shape: &[usize], data: &[f32]| Values { shape: shape.to_vec(), data: data.to_vec() };
    BTreeMap::from([
        ("a.weight".to_owned(), values(&[2, 3], &[0.1, -2.0, 3.5, 1e-3, 0.0, 65504.0])),
        ("b".to_owned(), values(&[], &[7.0])),
        ("empty".to_owned(), values(&[0, 4], &[])),
    ])
}

/// The bytes of a file and the digest that writing returned.
fn written(tensors: &Tensors, dtype: StoredDtype) -> Result<(Vec<u8>, String), WeightsError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    let metadata =
        ["format", "made_by", "step", "seed"].map(|key| (key.to_owned(), format!("of \"{key}\"")));
    let digest = write_safetensors(&path, tensors, dtype, BTreeMap::from(metadata));
    let left: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), usize::from(digest.is_ok()), "no temporary file is left: {left:?}");
    digest.map(|digest| (std::fs::read(path).unwrap(), digest))
}

/// A file with one tensor of the given type.
fn single(dtype: safetensors::Dtype, data: &[u8], count: usize) -> Vec<u8> {
    let view = safetensors::tensor::TensorView::new(dtype, vec![count], data).unwrap();
    safetensors::serialize([("x", view)], None).unwrap()
}

#[test]
fn f32_survives_exactly_and_f16_rounded() {
    let (bytes, digest) = written(&tensors(), StoredDtype::F32).unwrap();
    assert_eq!(digest, sha256_hex(&bytes));
    let (read, metadata) = read_safetensors(&bytes).unwrap();
    assert_eq!(read, tensors());
    assert_eq!((metadata.len(), metadata["made_by"].as_str()), (4, "of \"made_by\""));
    let again = written(&tensors(), StoredDtype::F32).unwrap();
    assert_eq!(again, (bytes, digest), "the same values are the same file");

    let (bytes, _) = written(&tensors(), StoredDtype::F16).unwrap();
    let (read, _) = read_safetensors(&bytes).unwrap();
    for (name, values) in tensors() {
        assert_eq!(read[&name].shape, values.shape);
        let rounded: Vec<f32> =
            values.data.iter().map(|value| half::f16::from_f32(*value).to_f32()).collect();
        assert_eq!(read[&name].data, rounded);
    }
    let (twice, _) = written(&read, StoredDtype::F16).unwrap();
    assert_eq!(twice, bytes, "a second round trip changes nothing");
}

#[test]
fn bf16_is_read() {
    let data = half::bf16::from_f32(1.5).to_le_bytes();
    let (read, _) = read_safetensors(&single(safetensors::Dtype::BF16, &data, 1)).unwrap();
    assert_eq!(read["x"].data, [1.5]);
}

#[test]
fn what_cannot_be_stored_or_read_is_an_error() {
    let mut large = tensors();
    large.get_mut("b").unwrap().data[0] = 1e6;
    let error = written(&large, StoredDtype::F16).unwrap_err().to_string();
    assert!(error.starts_with("tensor `b` holds 1000000, too large for f16"), "{error}");
    assert!(written(&large, StoredDtype::Bf16).is_err());
    large.get_mut("b").unwrap().shape = vec![2];
    assert!(written(&large, StoredDtype::F32).is_err());

    let error =
        read_safetensors(&single(safetensors::Dtype::I64, &[0; 16], 2)).unwrap_err().to_string();
    assert_eq!(
        error,
        "tensor `x` is I64 --> safetensors; hint: only F32, F16 and BF16 are read: leave buffers \
        out of the file"
    );

    let nowhere = std::path::Path::new("/nonexistent-folder/w.safetensors");
    let error =
        write_safetensors(nowhere, &tensors(), StoredDtype::F32, BTreeMap::new()).unwrap_err();
    assert!(error.to_string().starts_with("cannot write: "), "{error}");
}

#[test]
fn a_failed_write_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    write_safetensors(&path, &tensors(), StoredDtype::F32, BTreeMap::new()).unwrap();
    let before = std::fs::read(&path).unwrap();
    let large = BTreeMap::from([("x".to_owned(), Values { shape: vec![1], data: vec![1e9] })]);
    write_safetensors(&path, &large, StoredDtype::F16, BTreeMap::new()).unwrap_err();
    assert_eq!(std::fs::read(&path).unwrap(), before);
    write_safetensors(&path, &large, StoredDtype::F32, BTreeMap::new()).unwrap();
    assert_ne!(std::fs::read(&path).unwrap(), before, "an existing file is replaced");
}

#[test]
fn every_truncation_is_an_error() {
    let (bytes, _) = written(&tensors(), StoredDtype::F16).unwrap();
    for length in 0..bytes.len() {
        let error = read_safetensors(&bytes[..length]).unwrap_err().to_string();
        assert!(error.contains("not a safetensors file"), "{length} bytes: {error}");
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_safetensors(&bytes);
    }

    #[test]
    fn a_random_header_never_panics(dtype in "F32|F16|BF16|F4|BOOL", shape in proptest::collection::vec(any::<u64>(), 0..3),
                                    from in any::<u64>(), to in 0_u64..20, data in proptest::collection::vec(any::<u8>(), 0..20)) {
        let from = if from.is_multiple_of(2) { 0 } else { from };
        let header = format!("{{\"x\":{{\"dtype\":\"{dtype}\",\"shape\":{shape:?},\"data_offsets\":[{from},{to}]}}}}");
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.bytes());
        bytes.extend(data);
        let _ = read_safetensors(&bytes);
    }

    #[test]
    fn a_changed_byte_never_panics(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let (mut bytes, _) = written(&tensors(), StoredDtype::F32).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = read_safetensors(&bytes);
    }
}
