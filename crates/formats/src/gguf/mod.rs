//! GGUF, versions 2 and 3, little-endian: metadata, a list of tensors, then their bytes.
//!
//! Shapes are turned into PyTorch's order (GGUF lists the fastest dimension first), so a linear
//! layer's weight is `[out, in]`. Names stay those of llama.cpp (`blk.0.attn_q.weight`). Its
//! converter permutes the rows of query and key weights of Llama models to another order of rotary
//! pairs; they are given as stored.

mod cursor;
mod metadata;
mod tokenizer;

pub use metadata::{Metadata, Value};

use crate::dtype::{Dtype, Format};
use crate::entry::{Entry, MOST_TENSORS, Parsed, too_many};
use crate::error::{DAMAGED, Fault, one_line};
use cursor::Cursor;

/// Whether `bytes` begin with the magic of GGUF.
pub(crate) fn is(bytes: &[u8]) -> bool {
    bytes.starts_with(b"GGUF")
}

pub(crate) fn parse(bytes: &[u8]) -> Result<Parsed, Fault> {
    let mut cursor = Cursor::new(bytes, 4);
    let version = cursor.u32()?;
    match version {
        2 | 3 => {}
        _ if version.swap_bytes() <= 3 => {
            return Err(Fault::new("a big-endian GGUF file", "get the usual, little-endian one"));
        }
        _ => {
            return Err(Fault::new(
                format!("GGUF version {version}"),
                "versions 2 and 3 are read; convert it anew",
            ));
        }
    }
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
    let alignment = match metadata.get("general.alignment") {
        None => 32,
        Some(_) => {
            match metadata.u64("general.alignment").and_then(|value| usize::try_from(value).ok()) {
                Some(alignment) if alignment.is_power_of_two() => alignment,
                _ => return Err(Fault::new("general.alignment is no power of two", DAMAGED)),
            }
        }
    };
    let data = cursor.at().checked_next_multiple_of(alignment);
    let data = data.ok_or_else(|| Fault::new("general.alignment is beyond all files", DAMAGED))?;
    let mut parsed = Parsed::new(Format::Gguf);
    for Listed { name, shape, kind, offset } in listed {
        let twice = match entry(shape, kind, offset, data, bytes.len()) {
            Ok(Ok(entry)) => {
                parsed.entries.insert(name.to_owned(), entry).is_some()
                    || parsed.skipped.contains_key(name)
            }
            Ok(Err(why)) => {
                parsed.skipped.insert(name.to_owned(), why).is_some()
                    || parsed.entries.contains_key(name)
            }
            Err(what) => {
                return Err(Fault::new(format!("tensor `{}` {what}", one_line(name)), DAMAGED));
            }
        };
        if twice {
            return Err(Fault::new(
                format!("two tensors are called `{}`", one_line(name)),
                DAMAGED,
            ));
        }
    }
    parsed.metadata = metadata.texts();
    parsed.gguf = Some(metadata);
    Ok(parsed)
}

struct Listed<'a> {
    name: &'a str,
    shape: Vec<usize>,
    kind: u32,
    offset: u64,
}

impl<'a> Listed<'a> {
    fn parse(cursor: &mut Cursor<'a>) -> Result<Self, Fault> {
        let at = cursor.at();
        let name = cursor.text()?;
        let rank = cursor.u32()?;
        if rank > 4 {
            return Err(Fault::damaged(
                format!("tensor `{}` has {rank} dimensions", one_line(name)),
                at,
            ));
        }
        let mut shape = Vec::with_capacity(rank as usize);
        for _ in 0..rank {
            let dim = usize::try_from(cursor.u64()?);
            shape.push(dim.map_err(|_| {
                Fault::damaged(format!("tensor `{}` is too large", one_line(name)), at)
            })?);
        }
        shape.reverse();
        Ok(Self { name, shape, kind: cursor.u32()?, offset: cursor.u64()? })
    }
}

/// Types that are known by name but not read.
const UNREAD: [(u32, &str); 20] = [
    (6, "q5_0"),
    (7, "q5_1"),
    (9, "q8_1"),
    (10, "q2_k"),
    (11, "q3_k"),
    (13, "q5_k"),
    (15, "q8_k"),
    (16, "iq2_xxs"),
    (17, "iq2_xs"),
    (18, "iq3_xxs"),
    (19, "iq1_s"),
    (20, "iq4_nl"),
    (21, "iq3_s"),
    (22, "iq2_s"),
    (23, "iq4_xs"),
    (29, "iq1_m"),
    (34, "tq1_0"),
    (35, "tq2_0"),
    (39, "mxfp4"),
    (40, "nvfp4"),
];

/// The outer error is a damaged file, the inner one a type that is not read.
fn entry(
    shape: Vec<usize>,
    kind: u32,
    offset: u64,
    data: usize,
    file_len: usize,
) -> Result<Result<Entry, String>, String> {
    let dtype = match kind {
        0 => Dtype::F32,
        1 => Dtype::F16,
        2 => Dtype::Q4_0,
        3 => Dtype::Q4_1,
        8 => Dtype::Q8_0,
        12 => Dtype::Q4_K,
        14 => Dtype::Q6_K,
        24 => Dtype::I8,
        25 => Dtype::I16,
        26 => Dtype::I32,
        27 => Dtype::I64,
        28 => Dtype::F64,
        30 => Dtype::Bf16,
        _ => {
            let name = UNREAD
                .iter()
                .find(|(number, _)| *number == kind)
                .map(|(_, name)| (*name).to_owned());
            let name = name.unwrap_or_else(|| format!("GGUF type {kind}"));
            return Ok(Err(format!("is stored as {name}, which is not read")));
        }
    };
    let row = shape.last().copied().unwrap_or(1);
    if !row.is_multiple_of(dtype.block().0) {
        return Err(format!("has rows of {row} numbers, which are no whole {dtype} blocks"));
    }
    let start = usize::try_from(offset).ok().and_then(|offset| data.checked_add(offset));
    let start = start.ok_or_else(|| "starts beyond all files".to_owned())?;
    Entry::dense(shape, dtype, start, file_len).map(Ok)
}
