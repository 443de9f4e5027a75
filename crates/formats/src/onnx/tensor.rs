//! Initialisers of an ONNX graph: messages of the type `TensorProto`.

use super::protobuf::{Message, Value};
use crate::dtype::{Dtype, TensorInfo};
use crate::error::{ParseError, one_line};
use crate::stored::{Layout, MAX_RANK, StoredTensor, TensorError, count};

/// The field that holds the numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum DataField {
    Float = 4,
    Int32 = 5,
    Int64 = 7,
    Raw = 9,
    Double = 10,
}

impl DataField {
    fn numbered(field: u32) -> Option<Self> {
        Some(match field {
            4 => Self::Float,
            5 => Self::Int32,
            7 => Self::Int64,
            9 => Self::Raw,
            10 => Self::Double,
            _ => return None,
        })
    }
}

/// The fields of an initialiser.
#[derive(Default)]
pub(super) struct Initializer<'a> {
    pub(super) name: &'a str,
    dims: Vec<u64>,
    /// Number of the type, `TensorProto.DataType`.
    kind: u64,
    data: Option<(DataField, Message<'a>)>,
    /// `true` if the numbers are in another file.
    is_external: bool,
    /// `true` if the numbers are not in one piece.
    is_scattered: bool,
}

impl<'a> Initializer<'a> {
    pub(super) fn parse(message: Message<'a>) -> Result<Self, ParseError> {
        let start = message.range().start;
        let mut tensor = Self::default();
        for field in message {
            let (number, value) = field?;
            tensor.set(number, value)?;
            if tensor.dims.len() > MAX_RANK {
                let name = one_line(tensor.name);
                let what = format!("tensor `{name}` has more than {MAX_RANK} dimensions");
                return Err(ParseError::damaged(what, start));
            }
        }
        Ok(tensor)
    }

    fn set(&mut self, field: u32, value: Value<'a>) -> Result<(), ParseError> {
        match (field, value) {
            (1, Value::Varint(dim)) => self.dims.push(dim),
            (1, Value::Bytes(mut dims)) => {
                while let Some(dim) = dims.varint().filter(|_| self.dims.len() <= MAX_RANK) {
                    self.dims.push(dim);
                }
            }
            (2, Value::Varint(kind)) => self.kind = kind,
            (8, Value::Bytes(text)) => self.name = text.text()?,
            (13, _) => self.is_external = true,
            (14, Value::Varint(location)) => self.is_external |= location == 1,
            (number, value) => {
                if let Some(field) = DataField::numbered(number) {
                    self.set_data(field, value);
                }
            }
        }
        Ok(())
    }

    fn set_data(&mut self, field: DataField, value: Value<'a>) {
        match value {
            // An empty list may stand beside the field that is used.
            Value::Bytes(bytes) if bytes.range().is_empty() => {}
            Value::Bytes(bytes) if self.data.is_none() => self.data = Some((field, bytes)),
            _ => self.is_scattered = true,
        }
    }

    /// Returns the place of the tensor.
    pub(super) fn locate(self, file_len: usize) -> Result<StoredTensor, TensorError> {
        let unread = |what: &str| Err(TensorError::Unread(format!("is {what}, which is not read")));
        if self.is_external {
            return unread("kept in another file");
        }
        if self.is_scattered {
            return unread("kept in several pieces");
        }
        let Some(dtype) = dtype(self.kind) else {
            return unread(&format!("stored as ONNX type {}", self.kind));
        };
        let shape: Option<Vec<usize>> =
            self.dims.iter().map(|&dim| usize::try_from(dim).ok()).collect();
        let shape =
            shape.ok_or_else(|| TensorError::damaged("has a dimension beyond all memory"))?;
        let total = count(&shape)?;
        match self.data {
            Some((field, data)) => locate_data(field, &data, TensorInfo { shape, dtype }, file_len),
            None if total == 0 => StoredTensor::dense(shape, dtype, 0, file_len),
            None => Err(TensorError::damaged("has no data")),
        }
    }
}

/// Returns the place of the numbers in `data`, after checking that they are those of `info`.
fn locate_data(
    field: DataField,
    data: &Message,
    info: TensorInfo,
    file_len: usize,
) -> Result<StoredTensor, TensorError> {
    let TensorInfo { shape, dtype } = &info;
    let (total, range) = (count(shape)?, data.range());
    let is_dense = match dtype {
        Dtype::F32 => field == DataField::Float,
        Dtype::F64 => field == DataField::Double,
        _ => false,
    };
    if field == DataField::Raw || is_dense {
        if dtype.bytes(total) != Some(range.len()) {
            let what = format!("has {} bytes for {total} numbers of {dtype}", range.len());
            return Err(TensorError::Damaged(what));
        }
        return StoredTensor::dense(info.shape, info.dtype, range.start, file_len);
    }
    // Small types share the field of 32-bit numbers.
    let expected = if *dtype == Dtype::I64 { DataField::Int64 } else { DataField::Int32 };
    let ends = data.bytes().iter().filter(|byte| **byte & 0x80 == 0).count();
    let is_whole = data.bytes().last().is_some_and(|byte| byte & 0x80 == 0);
    let is_float = matches!(dtype, Dtype::F32 | Dtype::F64);
    if field != expected || is_float || ends != total || !is_whole {
        let what = format!("has other data than {total} numbers of {dtype}");
        return Err(TensorError::Damaged(what));
    }
    let (start, bytes) = (range.start, range.len());
    Ok(StoredTensor { info, file: 0, start, bytes, layout: Layout::Varints })
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
