//! safetensors: a JSON header, then the tensors one after the other.

use crate::dtype::{Dtype, Format};
use crate::entry::{Entry, Parsed};
use crate::error::{DAMAGED, Fault, one_line};
use safetensors::{Dtype as Stored, SafeTensors};

/// Whether `bytes` begin like a safetensors file: a header length that is no larger than the format allows, then `{`.
pub(crate) fn is(bytes: &[u8]) -> bool {
    bytes.first_chunk().is_some_and(|len| u64::from_le_bytes(*len) <= 100_000_000) && bytes.get(8) == Some(&b'{')
}

/// Reads the header. The `safetensors` crate checks that it is within the file and that the tensors fill the rest
/// without gap or overlap.
pub(crate) fn parse(bytes: &[u8]) -> Result<Parsed, Fault> {
    let (header, metadata) = SafeTensors::read_metadata(bytes)
        .map_err(|error| Fault::new(format!("bad safetensors header: {}", one_line(&error.to_string())), DAMAGED))?;
    let mut parsed = Parsed::new(Format::Safetensors);
    for (name, info) in metadata.tensors() {
        let Some(dtype) = dtype(info.dtype) else {
            parsed.skipped.insert(name, format!("is stored as {}, which is not read", info.dtype));
            continue;
        };
        let start = (8 + header).saturating_add(info.data_offsets.0);
        let entry = Entry::dense(info.shape.clone(), dtype, start, bytes.len())
            .map_err(|what| Fault::new(format!("tensor `{}` {what}", one_line(&name)), DAMAGED))?;
        parsed.entries.insert(name, entry);
    }
    parsed.metadata = metadata.metadata().clone().unwrap_or_default().into_iter().collect();
    Ok(parsed)
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
