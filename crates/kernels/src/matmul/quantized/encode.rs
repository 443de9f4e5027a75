//! Matrices as blocks: 8 bits, or 4 with a minimum.

use burn::tensor::f16;

use super::block::{BLOCK, BlockFormat};

/// Returns the blocks of rows whose numbers are a whole number of blocks. Formats other than Q8_0
/// are only written as Q4_1.
pub(super) fn encode(format: BlockFormat, x: &[f32]) -> Vec<u8> {
    let blocks = x.as_chunks::<BLOCK>().0;
    let mut bytes = Vec::with_capacity(blocks.len() * format.block().1);
    for block in blocks {
        match format {
            BlockFormat::Q8_0 => eight_bits(block, &mut bytes),
            _ => four_bits(block, &mut bytes),
        }
    }
    bytes
}

/// Rounds to half precision; a number beyond its largest becomes that.
fn half(x: f32) -> f16 {
    f16::from_f32(x.clamp(f16::MIN.to_f32(), f16::MAX.to_f32()))
}

/// Returns the nearest step from zero.
fn step(x: f32, scale: f32) -> f32 {
    if scale == 0.0 { 0.0 } else { (x / scale).round_ties_even() }
}

fn eight_bits(x: &[f32; BLOCK], bytes: &mut Vec<u8>) {
    let largest = x.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
    let scale = half(largest / 127.0);
    bytes.extend(scale.to_le_bytes());
    // Steps are of the rounded scale, so that its rounding is no error of the numbers.
    bytes.extend(x.iter().map(|&x| step(x, scale.to_f32()).clamp(-127.0, 127.0) as i8 as u8));
}

fn four_bits(x: &[f32; BLOCK], bytes: &mut Vec<u8>) {
    let (least, largest) =
        x.iter().fold((f32::MAX, f32::MIN), |(least, largest), &x| (least.min(x), largest.max(x)));
    let minimum = half(least);
    let scale = half((largest - minimum.to_f32()) / 15.0);
    bytes.extend(scale.to_le_bytes());
    bytes.extend(minimum.to_le_bytes());
    let number = |x: f32| step(x - minimum.to_f32(), scale.to_f32()).clamp(0.0, 15.0) as u8;
    let (low, high) = x.split_at(BLOCK / 2);
    bytes.extend(low.iter().zip(high).map(|(&low, &high)| number(low) | (number(high) << 4)));
}
