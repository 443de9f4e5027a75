//! GGUF, versions 2 and 3, little-endian: metadata, a list of tensors, then their bytes.
//!
//! Shapes are turned into PyTorch's order (GGUF lists the fastest dimension first), so a linear
//! layer's weight is `[out, in]`. Names stay those of llama.cpp (`blk.0.attn_q.weight`). Its
//! converter permutes the rows of query and key weights of Llama models to another order of rotary
//! pairs; they are returned as stored.

mod cursor;
mod metadata;
mod tensor;
mod tokenizer;

pub use metadata::{Metadata, MetadataValue};

use crate::directory::{Directory, MOST_TENSORS, too_many};
use crate::dtype::Format;
use crate::error::{DAMAGED, ParseError};
use cursor::Cursor;
use tensor::Listed;

/// Returns `true` if `bytes` begin with the magic of GGUF.
pub(crate) fn is_gguf(bytes: &[u8]) -> bool {
    bytes.starts_with(b"GGUF")
}

pub(crate) fn parse(bytes: &[u8]) -> Result<(Directory, Metadata), ParseError> {
    let mut cursor = Cursor::new(bytes, 4);
    check_version(cursor.u32()?)?;
    let (tensors, values) = (cursor.u64()?, cursor.u64()?);
    if tensors > MOST_TENSORS as u64 {
        return Err(too_many());
    }
    let metadata = Metadata::parse(&mut cursor, values)?;
    // A claimed count ends where the file does, at the latest.
    let mut listed = Vec::new();
    for _ in 0..tensors {
        listed.push(Listed::parse(&mut cursor)?);
    }
    let data = cursor.at().checked_next_multiple_of(alignment(&metadata)?);
    let beyond = || ParseError::new("general.alignment is beyond all files", DAMAGED);
    let data = data.ok_or_else(beyond)?;
    let mut directory = Directory::new(Format::Gguf);
    for tensor in listed {
        directory.insert(tensor.name, tensor.locate(data, bytes.len()))?;
    }
    directory.metadata = metadata.texts();
    Ok((directory, metadata))
}

fn check_version(version: u32) -> Result<(), ParseError> {
    match version {
        2 | 3 => Ok(()),
        _ if version.swap_bytes() <= 3 => {
            Err(ParseError::new("a big-endian GGUF file", "get the usual, little-endian one"))
        }
        _ => {
            let what = format!("GGUF version {version}");
            Err(ParseError::new(what, "versions 2 and 3 are read; convert it anew"))
        }
    }
}

/// Returns the multiple of bytes at which the tensors' bytes begin.
fn alignment(metadata: &Metadata) -> Result<usize, ParseError> {
    let key = "general.alignment";
    if metadata.get(key).is_none() {
        return Ok(32);
    }
    match metadata.u64(key).and_then(|value| usize::try_from(value).ok()) {
        Some(alignment) if alignment.is_power_of_two() => Ok(alignment),
        _ => Err(ParseError::new("general.alignment is no power of two", DAMAGED)),
    }
}
