//! Numbers from stored bytes.

use crate::dtype::Dtype;
use crate::quant;
use crate::stored::{Layout, StoredTensor};
use half::{bf16, f16};

/// Decodes all numbers of `tensor` in row-major order. `bytes` are exactly those it names.
pub(crate) fn floats(tensor: &StoredTensor, bytes: &[u8]) -> Vec<f32> {
    if let Layout::Varints = tensor.layout {
        let half = |bits: i64| f16::from_bits(bits as u16).to_f32();
        let brain = |bits: i64| bf16::from_bits(bits as u16).to_f32();
        return match tensor.info.dtype {
            Dtype::F16 => varints(bytes).map(half).collect(),
            Dtype::Bf16 => varints(bytes).map(brain).collect(),
            Dtype::Bool => varints(bytes).map(|value| f32::from(u8::from(value != 0))).collect(),
            _ => varints(bytes).map(|value| value as f32).collect(),
        };
    }
    match tensor.info.dtype {
        Dtype::F64 => each(tensor, bytes, |b| f64::from_le_bytes(b) as f32),
        Dtype::F32 => each(tensor, bytes, f32::from_le_bytes),
        Dtype::F16 => each(tensor, bytes, |b| f16::from_le_bytes(b).to_f32()),
        Dtype::Bf16 => each(tensor, bytes, |b| bf16::from_le_bytes(b).to_f32()),
        Dtype::I64 => each(tensor, bytes, |b| i64::from_le_bytes(b) as f32),
        Dtype::I32 => each(tensor, bytes, |b| i32::from_le_bytes(b) as f32),
        Dtype::I16 => each(tensor, bytes, |b| f32::from(i16::from_le_bytes(b))),
        Dtype::I8 => each(tensor, bytes, |b| f32::from(i8::from_le_bytes(b))),
        Dtype::U8 => each(tensor, bytes, |[b]| f32::from(b)),
        Dtype::Bool => each(tensor, bytes, |[b]| f32::from(b != 0)),
        Dtype::Q8_0 => quant::q8_0(bytes),
        Dtype::Q4_0 => quant::q4_0(bytes),
        Dtype::Q4_1 => quant::q4_1(bytes),
        Dtype::Q4_K => quant::q4_k(bytes),
        Dtype::Q6_K => quant::q6_k(bytes),
    }
}

/// Decodes all numbers of `tensor` without rounding; `None` if they are neither integers nor
/// booleans.
pub(crate) fn ints(tensor: &StoredTensor, bytes: &[u8]) -> Option<Vec<i64>> {
    if let (Layout::Varints, true) = (&tensor.layout, tensor.info.dtype.is_int()) {
        let is_bool = tensor.info.dtype == Dtype::Bool;
        return Some(
            varints(bytes)
                .map(|value| if is_bool { i64::from(value != 0) } else { value })
                .collect(),
        );
    }
    match tensor.info.dtype {
        Dtype::I64 => Some(each(tensor, bytes, i64::from_le_bytes)),
        Dtype::I32 => Some(each(tensor, bytes, |b| i64::from(i32::from_le_bytes(b)))),
        Dtype::I16 => Some(each(tensor, bytes, |b| i64::from(i16::from_le_bytes(b)))),
        Dtype::I8 => Some(each(tensor, bytes, |b| i64::from(i8::from_le_bytes(b)))),
        Dtype::U8 => Some(each(tensor, bytes, |[b]| i64::from(b))),
        Dtype::Bool => Some(each(tensor, bytes, |[b]| i64::from(b != 0))),
        _ => None,
    }
}

/// Decodes numbers of `N` bytes each, in row-major order.
fn each<const N: usize, T>(
    tensor: &StoredTensor,
    bytes: &[u8],
    decode: impl Fn([u8; N]) -> T,
) -> Vec<T> {
    let stored = bytes.as_chunks::<N>().0;
    match &tensor.layout {
        Layout::Strided(strides) => {
            gather(&tensor.info.shape, strides, |index| decode(stored[index]))
        }
        _ => stored.iter().map(|&bytes| decode(bytes)).collect(),
    }
}

/// Walks a view in row-major order: the last dimension in the inner loop, the others like the
/// digits of a counter.
fn gather<T>(shape: &[usize], strides: &[usize], at: impl Fn(usize) -> T) -> Vec<T> {
    let total = shape.iter().product();
    let mut values = Vec::with_capacity(total);
    let (Some((&row, outer)), Some((&step, steps))) = (shape.split_last(), strides.split_last())
    else {
        values.push(at(0));
        return values;
    };
    let (mut index, mut base) = (vec![0; outer.len()], 0);
    while values.len() < total {
        values.extend((0..row).map(|i| at(base + i * step)));
        for digit in (0..outer.len()).rev() {
            index[digit] += 1;
            base += steps[digit];
            if index[digit] < outer[digit] {
                break;
            }
            base -= index[digit] * steps[digit];
            index[digit] = 0;
        }
    }
    values
}

/// Decodes protobuf varints. Their count was checked when the file was opened.
fn varints(bytes: &[u8]) -> impl Iterator<Item = i64> {
    bytes.split_inclusive(|byte| byte & 0x80 == 0).map(|group| {
        let bits = group
            .iter()
            .take(10)
            .rev()
            .fold(0u64, |bits, byte| (bits << 7) | u64::from(byte & 0x7f));
        bits as i64
    })
}
