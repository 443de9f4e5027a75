//! One initialiser.

use super::protobuf::{Message, Value};
use crate::dtype::{Dtype, Info};
use crate::entry::{Entry, Layout, MAX_RANK, count};
use crate::error::{DAMAGED, Fault, one_line};

/// The field that holds the numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Float = 4,
    Int32 = 5,
    Int64 = 7,
    Raw = 9,
    Double = 10,
}

/// Name and place of a tensor; the inner error says why it is not read.
pub(super) fn parse<'a>(
    message: Message<'a>,
    file_len: usize,
) -> Result<(&'a str, Result<Entry, String>), Fault> {
    let (mut name, mut shape, mut kind) = ("", Vec::new(), 0);
    let mut data: Option<(Field, Message)> = None;
    let (mut external, mut scattered) = (false, false);
    let start = message.range().start;
    for field in message {
        let field = field?;
        let place = match field.0 {
            4 => Some(Field::Float),
            5 => Some(Field::Int32),
            7 => Some(Field::Int64),
            9 => Some(Field::Raw),
            10 => Some(Field::Double),
            _ => None,
        };
        match (field, place) {
            ((1, Value::Varint(dim)), _) => shape.push(dim),
            ((1, Value::Bytes(mut dims)), _) => {
                while let Some(dim) = dims.varint().filter(|_| shape.len() <= MAX_RANK) {
                    shape.push(dim);
                }
            }
            ((2, Value::Varint(number)), _) => kind = number,
            ((8, Value::Bytes(text)), _) => name = text.text()?,
            ((13, _), _) => external = true,
            ((14, Value::Varint(place)), _) => external |= place == 1,
            // An empty list may stand beside the field that is used.
            ((_, Value::Bytes(bytes)), Some(_)) if bytes.range().is_empty() => {}
            ((_, Value::Bytes(bytes)), Some(place)) if data.is_none() => {
                data = Some((place, bytes))
            }
            (_, Some(_)) => scattered = true,
            _ => {}
        }
        if shape.len() > MAX_RANK {
            return Err(Fault::damaged(
                format!("tensor `{}` has more than {MAX_RANK} dimensions", one_line(name)),
                start,
            ));
        }
    }
    let wrong = |what: String| Fault::new(format!("tensor `{}` {what}", one_line(name)), DAMAGED);
    if external {
        return Ok((name, Err("is kept in another file, which is not read".to_owned())));
    }
    if scattered {
        return Ok((name, Err("is kept in several pieces, which is not read".to_owned())));
    }
    let Some(dtype) = dtype(kind) else {
        return Ok((name, Err(format!("is stored as ONNX type {kind}, which is not read"))));
    };
    let shape: Option<Vec<usize>> =
        shape.into_iter().map(|dim| usize::try_from(dim).ok()).collect();
    let shape = shape.ok_or_else(|| wrong("has a dimension beyond all memory".to_owned()))?;
    let total = count(&shape).map_err(wrong)?;
    let (field, place) = match data {
        Some((field, bytes)) => (field, bytes),
        None if total == 0 => {
            return Entry::dense(shape, dtype, 0, file_len).map_err(wrong).map(|e| (name, Ok(e)));
        }
        None => return Err(wrong("has no data".to_owned())),
    };
    let range = place.range();
    let dense = match dtype {
        Dtype::F32 => field == Field::Float,
        Dtype::F64 => field == Field::Double,
        _ => false,
    };
    if field == Field::Raw || dense {
        if dtype.bytes(total) != Some(range.len()) {
            return Err(wrong(format!("has {} bytes for {total} numbers of {dtype}", range.len())));
        }
        return Entry::dense(shape, dtype, range.start, file_len)
            .map_err(wrong)
            .map(|entry| (name, Ok(entry)));
    }
    // Small types share the field of 32-bit numbers.
    let expected = if dtype == Dtype::I64 { Field::Int64 } else { Field::Int32 };
    let ends = place.bytes().iter().filter(|byte| **byte & 0x80 == 0).count();
    let whole = place.bytes().last().is_some_and(|byte| byte & 0x80 == 0);
    if field != expected || matches!(dtype, Dtype::F32 | Dtype::F64) || ends != total || !whole {
        return Err(wrong(format!("has other data than {total} numbers of {dtype}")));
    }
    let info = Info { shape, dtype };
    Ok((
        name,
        Ok(Entry {
            info,
            file: 0,
            start: range.start,
            bytes: range.len(),
            layout: Layout::Varints,
        }),
    ))
}

fn dtype(kind: u64) -> Option<Dtype> {
    Some(match kind {
        1 => Dtype::F32,
        2 => Dtype::U8,
        3 => Dtype::I8,
        5 => Dtype::I16,
        6 => Dtype::I32,
        7 => Dtype::I64,
        9 => Dtype::Bool,
        10 => Dtype::F16,
        11 => Dtype::F64,
        16 => Dtype::Bf16,
        _ => return None,
    })
}
