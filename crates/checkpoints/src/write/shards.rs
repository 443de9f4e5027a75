//! Safetensors files, written tensor by tensor; large models in several files.

use super::companions::put;
use super::{Fetch, Form, Target};
use crate::CheckpointError;
use serde_json::{Map, Value, json};
use std::io::Write;
use std::path::Path;
use toolkit_models::weights::StoredDtype;
use toolkit_system::files::{FileError, write_atomic};

/// Writes `model.safetensors`, or shards with their index, and returns the names of the files with
/// weights.
pub(super) fn write(
    folder: &Path,
    targets: &[Target],
    values: &Fetch<'_>,
    form: Form,
) -> Result<Vec<String>, CheckpointError> {
    let width: u64 = if form.dtype == StoredDtype::F32 { 4 } else { 2 };
    // 1. Which tensors go together.
    let mut shards: Vec<Vec<&Target>> = vec![Vec::new()];
    let mut size = 0;
    for target in targets {
        let bytes = target.count() as u64 * width;
        if size > 0 && size + bytes > form.shard {
            shards.push(Vec::new());
            size = 0;
        }
        size += bytes;
        if let Some(shard) = shards.last_mut() {
            shard.push(target);
        }
    }
    // 2. One file after the other.
    let mut files = Vec::new();
    let mut map = Map::new();
    for (at, shard) in shards.iter().enumerate() {
        let name = match shards.len() {
            1 => "model.safetensors".to_owned(),
            count => format!("model-{:05}-of-{count:05}.safetensors", at + 1),
        };
        map.extend(shard.iter().map(|target| (target.name.clone(), json!(name))));
        one(&folder.join(&name), shard, values, form.dtype)?;
        files.push(name);
    }
    // 3. Where everything is.
    if shards.len() > 1 {
        let total: u64 = targets.iter().map(|target| target.count() as u64 * width).sum();
        let index = json!({"metadata": {"total_size": total}, "weight_map": map});
        put(&folder.join("model.safetensors.index.json"), &index)?;
    }
    Ok(files)
}

fn one(
    path: &Path,
    targets: &[&Target],
    values: &Fetch<'_>,
    dtype: StoredDtype,
) -> Result<(), CheckpointError> {
    let (tag, width) = match dtype {
        StoredDtype::F32 => ("F32", 4),
        StoredDtype::F16 => ("F16", 2),
        StoredDtype::Bf16 => ("BF16", 2),
    };
    let mut header = Map::new();
    // transformers reads the framework from here and refuses a file without it.
    header.insert("__metadata__".to_owned(), json!({"format": "pt"}));
    let mut at = 0;
    for target in targets {
        let end = at + target.count() * width;
        header.insert(
            target.name.clone(),
            json!({"dtype": tag, "shape": target.shape, "data_offsets": [at, end]}),
        );
        at = end;
    }
    let mut header = Value::Object(header).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    write_atomic(path, |file| {
        let mut put =
            |bytes: &[u8]| file.write_all(bytes).map_err(|error| FileError::new(path, error));
        put(&(header.len() as u64).to_le_bytes())?;
        put(&header)?;
        for target in targets {
            put(&bytes(target, values, dtype)?)?;
        }
        Ok(())
    })
}

/// Returns the floats of a tensor as they are stored.
pub(super) fn bytes(
    target: &Target,
    values: &Fetch<'_>,
    dtype: StoredDtype,
) -> Result<Vec<u8>, CheckpointError> {
    let values = target.read(values)?;
    let large = |value: &&f32| value.is_finite() && half::f16::from_f32(**value).is_infinite();
    if let Some(value) = values.iter().find(large).filter(|_| dtype == StoredDtype::F16) {
        let what = format!("a value is {value}, too large for f16");
        return Err(CheckpointError::new(what, target.name.clone(), "store as `bf16` or `f32`"));
    }
    Ok(match dtype {
        StoredDtype::F32 => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
        StoredDtype::F16 => {
            values.iter().flat_map(|x| half::f16::from_f32(*x).to_le_bytes()).collect()
        }
        StoredDtype::Bf16 => {
            values.iter().flat_map(|x| half::bf16::from_f32(*x).to_le_bytes()).collect()
        }
    })
}
