//! Writing safetensors: the same values give the same bytes, and a reader never sees half a file.
//!
//! The header is written here because `safetensors::serialize` puts metadata in the random order of
//! a hash map, which would give every run of one experiment another digest.

use super::{StoredDtype, WeightsError};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{Error, Write};
use std::path::Path;
use toolkit_core::params::Values;
use toolkit_system::digest::hex;
use toolkit_system::files::{FileError, write_atomic};
use toolkit_system::problem::Problem;

/// Writes `tensors` to `path` and returns the SHA-256 of the file. The file appears whole or not at
/// all.
///
/// # Errors
/// If the file cannot be written, or a value is too large for `f16`. `bf16` is for reading only.
pub fn write_safetensors(
    path: &Path,
    tensors: &BTreeMap<String, Values>,
    dtype: StoredDtype,
    metadata: BTreeMap<String, String>,
) -> Result<String, WeightsError> {
    let file = path.display().to_string();
    let header = header(&file, tensors, dtype, metadata)?;
    write_atomic(path, |out| {
        put(out, &header, tensors, dtype).map_err(|error| FileError::new(path, error).into())
    })
}

/// The length-prefixed JSON header, padded so that tensors are aligned.
fn header(
    file: &str,
    tensors: &BTreeMap<String, Values>,
    dtype: StoredDtype,
    metadata: BTreeMap<String, String>,
) -> Result<Vec<u8>, WeightsError> {
    let bytes = match dtype {
        StoredDtype::F32 => 4,
        StoredDtype::F16 => 2,
        StoredDtype::Bf16 => {
            let problem = Problem::new("bf16 is not written").at(file).hint("store as f16 or f32");
            return Err(problem.into());
        }
    };
    let mut entries = Map::new();
    if !metadata.is_empty() {
        entries.insert(
            "__metadata__".to_owned(),
            metadata.into_iter().map(|(k, v)| (k, Value::String(v))).collect(),
        );
    }
    let mut offset = 0;
    for (name, values) in tensors {
        if values.shape.iter().product::<usize>() != values.data.len() {
            let what = format!(
                "tensor `{name}` has shape {:?} but {} values",
                values.shape,
                values.data.len()
            );
            return Err(Problem::defect(what).at(file).into());
        }
        let large = |value: &&f32| value.is_finite() && half::f16::from_f32(**value).is_infinite();
        if let Some(value) = values.data.iter().find(large).filter(|_| dtype == StoredDtype::F16) {
            let what = format!("tensor `{name}` holds {value}, too large for f16");
            return Err(Problem::new(what).at(file).hint("store as f32").into());
        }
        let end = offset + values.data.len() * bytes;
        entries.insert(
            name.clone(),
            json!({"dtype": dtype.tag(), "shape": values.shape, "data_offsets": [offset, end]}),
        );
        offset = end;
    }
    let mut json = Value::Object(entries).to_string().into_bytes();
    json.resize(json.len().next_multiple_of(8), b' ');
    let mut header = (json.len() as u64).to_le_bytes().to_vec();
    header.append(&mut json);
    Ok(header)
}

fn put(
    out: &mut impl Write,
    header: &[u8],
    tensors: &BTreeMap<String, Values>,
    dtype: StoredDtype,
) -> Result<String, Error> {
    let mut digest = Sha256::new();
    let mut write = |bytes: &[u8]| {
        digest.update(bytes);
        out.write_all(bytes)
    };
    write(header)?;
    let mut buffer = Vec::new();
    // In pieces, so that a large tensor is not held twice.
    for piece in tensors.values().flat_map(|values| values.data.chunks(1 << 16)) {
        buffer.clear();
        match dtype {
            StoredDtype::F16 => buffer
                .extend(piece.iter().flat_map(|value| half::f16::from_f32(*value).to_le_bytes())),
            StoredDtype::F32 | StoredDtype::Bf16 => {
                buffer.extend(piece.iter().flat_map(|value| value.to_le_bytes()))
            }
        }
        write(&buffer)?;
    }
    Ok(hex(&digest.finalize()))
}
