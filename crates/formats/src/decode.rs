//! Stored bytes to numbers.

use crate::dtype::Dtype;
use crate::entry::{Entry, Layout};
use crate::quant;
use half::{bf16, f16};

/// All numbers of `entry` in row-major order. `bytes` are exactly those it names.
pub(crate) fn floats(entry: &Entry, bytes: &[u8]) -> Vec<f32> {
    if let Layout::Varints = entry.layout {
        let half = |bits: i64| f16::from_bits(bits as u16).to_f32();
        let brain = |bits: i64| bf16::from_bits(bits as u16).to_f32();
        return match entry.info.dtype {
            Dtype::F16 => varints(bytes).map(half).collect(),
            Dtype::Bf16 => varints(bytes).map(brain).collect(),
            Dtype::Bool => varints(bytes).map(|value| f32::from(u8::from(value != 0))).collect(),
            _ => varints(bytes).map(|value| value as f32).collect(),
        };
    }
    match entry.info.dtype {
        Dtype::F64 => each(entry, bytes, |b| f64::from_le_bytes(b) as f32),
        Dtype::F32 => each(entry, bytes, f32::from_le_bytes),
        Dtype::F16 => each(entry, bytes, |b| f16::from_le_bytes(b).to_f32()),
        Dtype::Bf16 => each(entry, bytes, |b| bf16::from_le_bytes(b).to_f32()),
        Dtype::I64 => each(entry, bytes, |b| i64::from_le_bytes(b) as f32),
        Dtype::I32 => each(entry, bytes, |b| i32::from_le_bytes(b) as f32),
        Dtype::I16 => each(entry, bytes, |b| f32::from(i16::from_le_bytes(b))),
        Dtype::I8 => each(entry, bytes, |b| f32::from(i8::from_le_bytes(b))),
        Dtype::U8 => each(entry, bytes, |[b]| f32::from(b)),
        Dtype::Bool => each(entry, bytes, |[b]| f32::from(b != 0)),
        Dtype::Q8_0 => quant::q8_0(bytes),
        Dtype::Q4_0 => quant::q4_0(bytes),
        Dtype::Q4_1 => quant::q4_1(bytes),
        Dtype::Q4_K => quant::q4_k(bytes),
        Dtype::Q6_K => quant::q6_k(bytes),
    }
}

/// The same for whole numbers, without rounding; `None` if `entry` has none.
pub(crate) fn ints(entry: &Entry, bytes: &[u8]) -> Option<Vec<i64>> {
    if let (Layout::Varints, true) = (&entry.layout, entry.info.dtype.is_int()) {
        let is_bool = entry.info.dtype == Dtype::Bool;
        return Some(
            varints(bytes)
                .map(|value| if is_bool { i64::from(value != 0) } else { value })
                .collect(),
        );
    }
    match entry.info.dtype {
        Dtype::I64 => Some(each(entry, bytes, i64::from_le_bytes)),
        Dtype::I32 => Some(each(entry, bytes, |b| i64::from(i32::from_le_bytes(b)))),
        Dtype::I16 => Some(each(entry, bytes, |b| i64::from(i16::from_le_bytes(b)))),
        Dtype::I8 => Some(each(entry, bytes, |b| i64::from(i8::from_le_bytes(b)))),
        Dtype::U8 => Some(each(entry, bytes, |[b]| i64::from(b))),
        Dtype::Bool => Some(each(entry, bytes, |[b]| i64::from(b != 0))),
        _ => None,
    }
}

fn each<const N: usize, T>(entry: &Entry, bytes: &[u8], decode: impl Fn([u8; N]) -> T) -> Vec<T> {
    let stored = bytes.as_chunks::<N>().0;
    match &entry.layout {
        Layout::Strided(strides) => {
            gather(&entry.info.shape, strides, |index| decode(stored[index]))
        }
        _ => stored.iter().map(|&bytes| decode(bytes)).collect(),
    }
}

/// Walks the view in row-major order: the last dimension in the inner loop, the others like the
/// wheels of a counter.
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
        for wheel in (0..outer.len()).rev() {
            index[wheel] += 1;
            base += steps[wheel];
            if index[wheel] < outer[wheel] {
                break;
            }
            base -= index[wheel] * steps[wheel];
            index[wheel] = 0;
        }
    }
    values
}

/// Protobuf varints; the count was checked when the file was opened.
pub(crate) fn varints(bytes: &[u8]) -> impl Iterator<Item = i64> {
    bytes.split_inclusive(|byte| byte & 0x80 == 0).map(|group| {
        let bits = group
            .iter()
            .take(10)
            .rev()
            .fold(0u64, |bits, byte| (bits << 7) | u64::from(byte & 0x7f));
        bits as i64
    })
}
