//! safetensors: a JSON header, then the tensors one after the other.

use crate::directory::{Directory, MOST_TENSORS, too_many};
use crate::dtype::{Dtype, Format};
use crate::error::{DAMAGED, ParseError, one_line};
use crate::stored::{StoredTensor, TensorError};
use safetensors::{Dtype as Stored, SafeTensors};

/// Returns `true` if `bytes` begin like a safetensors file: a header length that is no larger than
/// the format allows, then `{`.
pub(crate) fn is_safetensors(bytes: &[u8]) -> bool {
    bytes.first_chunk().is_some_and(|len| u64::from_le_bytes(*len) <= 100_000_000)
        && bytes.get(8) == Some(&b'{')
}

/// Reads the header. The `safetensors` crate checks that it is within the file and that the tensors
/// fill the rest without gap or overlap.
pub(crate) fn parse(bytes: &[u8]) -> Result<Directory, ParseError> {
    if has_more_than(MOST_TENSORS, bytes) {
        return Err(too_many());
    }
    let (header, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| {
        let what = format!("bad safetensors header: {}", one_line(&error.to_string()));
        ParseError::new(what, DAMAGED)
    })?;
    let mut directory = Directory::new(Format::Safetensors);
    for (name, info) in metadata.tensors() {
        let start = (8 + header).saturating_add(info.data_offsets.0);
        let tensor = match dtype(info.dtype) {
            Some(dtype) => StoredTensor::dense(info.shape.clone(), dtype, start, bytes.len()),
            None => {
                let why = format!("is stored as {}, which is not read", info.dtype);
                Err(TensorError::Unread(why))
            }
        };
        directory.insert(&name, tensor)?;
    }
    directory.metadata = metadata.metadata().clone().unwrap_or_default().into_iter().collect();
    Ok(directory)
}

/// Returns `true` if the header has more than `most` tensors.
///
/// Each tensor is an object of the header's own, and one object is for metadata. The header is read
/// once and nothing is stored, so a file that only claims much takes no memory.
fn has_more_than(most: usize, bytes: &[u8]) -> bool {
    let header = bytes.first_chunk().map_or(0, |len| u64::from_le_bytes(*len) as usize);
    let header = &bytes[8.min(bytes.len())..header.saturating_add(8).min(bytes.len())];
    // An object takes two bytes at the very least.
    if header.len() < 2 * most {
        return false;
    }
    let (mut quoted, mut escaped, mut depth, mut found) = (false, false, 0usize, 0usize);
    for byte in header {
        match (quoted, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => quoted = !quoted,
            (false, b'{') => {
                found += usize::from(depth == 1);
                depth += 1;
            }
            (false, b'}') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if found > most + 1 {
            return true;
        }
    }
    false
}

fn dtype(stored: Stored) -> Option<Dtype> {
    Some(match stored {
        Stored::F64 => Dtype::F64,
        Stored::F32 => Dtype::F32,
        Stored::F16 => Dtype::F16,
        Stored::BF16 => Dtype::Bf16,
        Stored::I64 => Dtype::I64,
        Stored::I32 => Dtype::I32,
        Stored::I16 => Dtype::I16,
        Stored::I8 => Dtype::I8,
        Stored::U8 => Dtype::U8,
        Stored::BOOL => Dtype::Bool,
        _ => return None,
    })
}
