//! Safetensors files written tensor by tensor, over several files where they are large.

use super::{Fetch, Form, Target};
use crate::HubError;
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use toolkit_registry::StoredDtype;

/// Writes `model.safetensors`, or shards with their index. Files appear whole or not at all.
pub(super) fn write(
    folder: &Path,
    targets: &[Target],
    values: &Fetch<'_>,
    form: Form,
) -> Result<Vec<PathBuf>, HubError> {
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
        let path = folder.join(&name);
        one(&path, shard, values, form.dtype)?;
        files.push(path);
    }
    // 3. Where everything is.
    if shards.len() > 1 {
        let total: u64 = targets.iter().map(|target| target.count() as u64 * width).sum();
        let index = json!({"metadata": {"total_size": total}, "weight_map": map});
        super::hugging_face::put(&folder.join("model.safetensors.index.json"), &index)?;
    }
    Ok(files)
}

fn one(path: &Path, targets: &[&Target], values: &Fetch<'_>, dtype: StoredDtype) -> Result<(), HubError> {
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
        header.insert(target.name.clone(), json!({"dtype": tag, "shape": target.shape, "data_offsets": [at, end]}));
        at = end;
    }
    let mut header = Value::Object(header).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    atomically(path, |file| {
        file.write_all(&(header.len() as u64).to_le_bytes()).map_err(|error| HubError::io("write", path, error))?;
        file.write_all(&header).map_err(|error| HubError::io("write", path, error))?;
        for target in targets {
            let bytes = bytes(&target.read(values)?, dtype);
            file.write_all(&bytes).map_err(|error| HubError::io("write", path, error))?;
        }
        Ok(())
    })
}

/// Floats as they are stored.
pub(super) fn bytes(values: &[f32], dtype: StoredDtype) -> Vec<u8> {
    match dtype {
        StoredDtype::F32 => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
        StoredDtype::F16 => values.iter().flat_map(|x| half::f16::from_f32(*x).to_le_bytes()).collect(),
        StoredDtype::Bf16 => values.iter().flat_map(|x| half::bf16::from_f32(*x).to_le_bytes()).collect(),
    }
}

/// Writes a file under another name and renames it when it is whole.
pub(super) fn atomically(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<(), HubError>,
) -> Result<(), HubError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let io = |error: std::io::Error| HubError::io("write", path, error);
    let written = File::create(&temporary).map_err(io).and_then(|file| {
        let mut file = BufWriter::with_capacity(1 << 20, file);
        write(&mut file)?;
        let file = file.into_inner().map_err(|error| io(error.into_error()))?;
        file.sync_all().map_err(io)?;
        std::fs::rename(&temporary, path).map_err(io)
    });
    if written.is_err() {
        // The first error is the one to tell of.
        let _ = std::fs::remove_file(&temporary);
    }
    written
}
