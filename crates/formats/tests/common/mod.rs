//! The fixtures of `tests/fixtures/make_formats.py`.
#![allow(dead_code, reason = "every test binary uses a part")]

use safetensors::{Dtype, SafeTensors};
use std::path::{Path, PathBuf};
use toolkit_formats::Tensors;

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/formats")
}

pub fn fixture(name: &str) -> PathBuf {
    folder().join(name)
}

/// All fixtures that are files and not expectations.
pub fn files() -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder())
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| {
            path.is_file()
                && ![".expected.", ".json"].iter().any(|no| path.to_string_lossy().contains(no))
        })
        .collect();
    files.sort();
    assert!(files.len() > 50, "{} fixtures", files.len());
    files
}

/// Asserts that `tensors` are those that Python wrote to `NAME.expected.safetensors`: names,
/// shapes, types, and numbers to the bit. The expectation is read with the `safetensors` crate
/// alone.
pub fn assert_expected(tensors: &Tensors, name: &str) {
    let bytes = std::fs::read(fixture(&format!("{name}.expected.safetensors"))).unwrap();
    let expected = SafeTensors::deserialize(&bytes).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let types = header.metadata().clone().unwrap();
    let mut names = expected.names();
    names.sort_unstable();
    assert_eq!(tensors.names().collect::<Vec<_>>(), names, "{name}");
    for key in names {
        let want = expected.tensor(key).unwrap();
        let info = tensors.info(key).unwrap();
        assert_eq!(info.shape, want.shape(), "{name}: {key}");
        assert_eq!(info.dtype.to_string(), types[key], "{name}: {key}");
        let floats = tensors.read(key).unwrap();
        match want.dtype() {
            Dtype::F32 => {
                let want: Vec<u32> =
                    want.data().as_chunks().0.iter().map(|b| u32::from_le_bytes(*b)).collect();
                assert_eq!(
                    floats.iter().map(|x| x.to_bits()).collect::<Vec<_>>(),
                    want,
                    "{name}: {key}"
                );
                assert!(
                    tensors.read_ints(key).unwrap_err().to_string().contains("not whole numbers")
                );
            }
            Dtype::I64 => {
                let want: Vec<i64> =
                    want.data().as_chunks().0.iter().map(|b| i64::from_le_bytes(*b)).collect();
                assert_eq!(tensors.read_ints(key).unwrap(), want, "{name}: {key}");
                assert_eq!(
                    floats,
                    want.iter().map(|&x| x as f32).collect::<Vec<_>>(),
                    "{name}: {key}"
                );
            }
            other => panic!("{other}"),
        }
    }
}

/// Opens a fixture and compares it.
pub fn check(file: &str, name: &str) -> Tensors {
    let tensors = Tensors::open(&fixture(file)).unwrap();
    assert_expected(&tensors, name);
    tensors
}

pub fn refused(file: &str) -> String {
    let error = Tensors::open(&fixture(file)).expect_err(file).to_string();
    assert!(!error.contains('\n') && error.contains(file) && error.contains("; hint: "), "{error}");
    error
}
