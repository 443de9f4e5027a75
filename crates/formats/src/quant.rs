//! Block-quantised types of GGUF. The single-precision operations and their order are those of the
//! `gguf` Python package, so that results are equal to the bit.

use half::f16;

/// Decodes all whole blocks of `B` bytes into `N` numbers each.
fn blocks<const B: usize, const N: usize>(
    bytes: &[u8],
    decode: impl Fn(&[u8; B], &mut [f32; N]),
) -> Vec<f32> {
    let blocks = bytes.as_chunks::<B>().0;
    let mut values = vec![0.0; blocks.len() * N];
    for (block, out) in blocks.iter().zip(values.as_chunks_mut::<N>().0) {
        decode(block, out);
    }
    values
}

/// Reads a half-precision number.
fn half(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// Decodes blocks of a scale and 32 signed bytes.
pub(crate) fn q8_0(bytes: &[u8]) -> Vec<f32> {
    blocks(bytes, |block: &[u8; 34], out: &mut [f32; 32]| {
        let scale = half(block, 0);
        for (value, &quant) in out.iter_mut().zip(&block[2..]) {
            *value = f32::from(quant as i8) * scale;
        }
    })
}

/// Decodes blocks of a scale and 16 bytes. The low halves of the bytes are numbers 0 to 15, the
/// high ones 16 to 31; 8 means zero.
pub(crate) fn q4_0(bytes: &[u8]) -> Vec<f32> {
    blocks(bytes, |block: &[u8; 18], out: &mut [f32; 32]| {
        let scale = half(block, 0);
        for (i, &pair) in block[2..].iter().enumerate() {
            out[i] = scale * (f32::from(pair & 15) - 8.0);
            out[i + 16] = scale * (f32::from(pair >> 4) - 8.0);
        }
    })
}

/// Decodes blocks of a scale, a minimum and 16 bytes as in [`q4_0`].
pub(crate) fn q4_1(bytes: &[u8]) -> Vec<f32> {
    blocks(bytes, |block: &[u8; 20], out: &mut [f32; 32]| {
        let (scale, min) = (half(block, 0), half(block, 2));
        for (i, &pair) in block[4..].iter().enumerate() {
            out[i] = scale * f32::from(pair & 15) + min;
            out[i + 16] = scale * f32::from(pair >> 4) + min;
        }
    })
}

/// Decodes blocks of a scale of scales, a scale of minima, 12 bytes with eight six-bit scales and
/// minima, and 128 bytes. In each run of 32 bytes the low halves are one group and the high ones
/// the next.
pub(crate) fn q4_k(bytes: &[u8]) -> Vec<f32> {
    blocks(bytes, |block: &[u8; 144], out: &mut [f32; 256]| {
        let (scale, min) = (half(block, 0), half(block, 2));
        let (packed, quants) = (&block[4..16], &block[16..]);
        for group in 0..8 {
            // The first four are plain; the upper two bits of the last four are in the bytes of the
            // first four.
            let (s, m) = match group {
                0..4 => (packed[group] & 63, packed[group + 4] & 63),
                _ => {
                    let low = packed[group + 4];
                    let upper = |at: usize| (packed[at] >> 6) << 4;
                    ((low & 15) | upper(group - 4), (low >> 4) | upper(group))
                }
            };
            let (s, m) = (scale * f32::from(s), min * f32::from(m));
            let shift = 4 * (group % 2);
            for i in 0..32 {
                let quant = (quants[group / 2 * 32 + i] >> shift) & 15;
                out[group * 32 + i] = s * f32::from(quant) - m;
            }
        }
    })
}

/// Decodes blocks of 128 bytes of low halves, 64 bytes of upper two bits, 16 signed scales and a
/// scale of scales; 32 means zero.
pub(crate) fn q6_k(bytes: &[u8]) -> Vec<f32> {
    blocks(bytes, |block: &[u8; 210], out: &mut [f32; 256]| {
        let scale = half(block, 208);
        for (i, value) in out.iter_mut().enumerate() {
            // Each half of 128 numbers: 64 low bytes, first their low then their high halves; 32
            // upper bytes, two bits at a time.
            let (side, j) = (i / 128, i % 128);
            let low = (block[side * 64 + j % 64] >> (4 * (j / 64))) & 15;
            let upper = (block[128 + side * 32 + j % 32] >> (2 * (j / 32))) & 3;
            let quant = f32::from((low | (upper << 4)) as i8 - 32);
            *value = (scale * f32::from(block[192 + i / 16] as i8)) * quant;
        }
    })
}
