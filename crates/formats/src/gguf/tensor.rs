//! One tensor of a GGUF file.

use super::cursor::Cursor;
use crate::dtype::Dtype;
use crate::error::{ParseError, one_line};
use crate::stored::{StoredTensor, TensorError};

/// Most dimensions that the format has.
const MAX_RANK: u32 = 4;

/// Row of the list of tensors.
pub(super) struct Listed<'a> {
    pub(super) name: &'a str,
    /// PyTorch's order, slowest dimension first.
    shape: Vec<usize>,
    /// Number of the type, `ggml_type`.
    kind: u32,
    /// Bytes from the start of the tensors' data.
    offset: u64,
}

impl<'a> Listed<'a> {
    pub(super) fn parse(cursor: &mut Cursor<'a>) -> Result<Self, ParseError> {
        let at = cursor.at();
        let name = cursor.text()?;
        let rank = cursor.u32()?;
        if rank > MAX_RANK {
            let what = format!("tensor `{}` has {rank} dimensions", one_line(name));
            return Err(ParseError::damaged(what, at));
        }
        let mut shape = Vec::with_capacity(rank as usize);
        for _ in 0..rank {
            let dim = usize::try_from(cursor.u64()?);
            shape.push(dim.map_err(|_| {
                ParseError::damaged(format!("tensor `{}` is too large", one_line(name)), at)
            })?);
        }
        shape.reverse();
        Ok(Self { name, shape, kind: cursor.u32()?, offset: cursor.u64()? })
    }

    /// Returns the place of the tensor. `data` is the first byte of all tensors' data.
    pub(super) fn locate(self, data: usize, file_len: usize) -> Result<StoredTensor, TensorError> {
        let dtype = dtype(self.kind).ok_or_else(|| {
            TensorError::Unread(format!("is stored as {}, which is not read", unread(self.kind)))
        })?;
        let row = self.shape.last().copied().unwrap_or(1);
        if !row.is_multiple_of(dtype.block().0) {
            let what = format!("has rows of {row} numbers, which are no whole {dtype} blocks");
            return Err(TensorError::Damaged(what));
        }
        let offset = usize::try_from(self.offset).ok();
        let start = offset
            .and_then(|offset| data.checked_add(offset))
            .ok_or_else(|| TensorError::damaged("starts beyond all files"))?;
        StoredTensor::dense(self.shape, dtype, start, file_len)
    }
}

fn dtype(kind: u32) -> Option<Dtype> {
    Some(match kind {
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
        _ => return None,
    })
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

/// Returns the name of a type that is not read.
fn unread(kind: u32) -> String {
    let known = UNREAD.iter().find(|(number, _)| *number == kind);
    known.map_or_else(|| format!("GGUF type {kind}"), |(_, name)| (*name).to_owned())
}
