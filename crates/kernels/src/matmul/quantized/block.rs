//! The formats of blocks, and a block as numbers.

use burn::tensor::DType;
use burn::tensor::f16;
use burn::tensor::quantization::{QuantScheme, QuantValue, ScaleDtype};

/// Numbers that are multiplied before their sum is scaled.
pub(super) const BLOCK: usize = 32;

/// A format of blocks along the rows of a matrix, by its name in GGUF.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(non_camel_case_types, reason = "the names GGUF gives them")]
pub enum BlockFormat {
    /// 32 signed bytes with a half scale: 8.5 bits a number.
    Q8_0,
    /// 32 four-bit numbers with a half scale, where 8 means zero: 4.5 bits a number.
    Q4_0,
    /// 32 four-bit numbers with a half scale and a half minimum: 5 bits a number.
    Q4_1,
    /// 256 four-bit numbers in eight groups with six-bit scales and minima: 4.5 bits a number.
    Q4_K,
}

impl BlockFormat {
    /// Every format.
    pub const ALL: [Self; 4] = [Self::Q8_0, Self::Q4_0, Self::Q4_1, Self::Q4_K];

    /// Returns the numbers in a block and its bytes.
    #[must_use]
    pub fn block(self) -> (usize, usize) {
        match self {
            Self::Q8_0 => (32, 34),
            Self::Q4_0 => (32, 18),
            Self::Q4_1 => (32, 20),
            Self::Q4_K => (256, 144),
        }
    }

    /// Returns the bytes of a row of `count` numbers; `None` if they are no whole blocks.
    #[must_use]
    pub fn row_bytes(self, count: usize) -> Option<usize> {
        let (numbers, bytes) = self.block();
        (count > 0 && count.is_multiple_of(numbers)).then_some(count / numbers * bytes)
    }

    /// Returns the number type of a tensor that holds such a matrix.
    ///
    /// It is a name only: burn has no scheme with minima, or with blocks along the inputs.
    pub(super) fn dtype(self) -> DType {
        let (value, block) = match self {
            Self::Q8_0 => (QuantValue::Q8S, [1, 32]),
            Self::Q4_0 => (QuantValue::Q4S, [1, 32]),
            Self::Q4_1 => (QuantValue::Q4F, [1, 32]),
            Self::Q4_K => (QuantValue::Q4F, [8, 32]),
        };
        DType::QFloat(QuantScheme::default().with_value(value).per_block(block, ScaleDtype::F16))
    }
}

/// 32 numbers of a row: `scale * numbers[i] + minimum`.
pub(super) struct Block {
    pub(super) numbers: [i8; BLOCK],
    pub(super) scale: f32,
    pub(super) minimum: f32,
}

/// Reads a half-precision number.
fn half(bytes: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32()
}

/// Splits bytes into numbers: first the low halves, then the high ones.
fn halves(packed: &[u8], zero: i8) -> [i8; BLOCK] {
    let mut numbers = [0; BLOCK];
    for (i, &pair) in packed.iter().enumerate() {
        numbers[i] = (pair & 15) as i8 - zero;
        numbers[i + BLOCK / 2] = (pair >> 4) as i8 - zero;
    }
    numbers
}

/// Returns scale and minimum of a group of a Q4_K block, in units of the block's.
#[inline(always)]
pub(super) fn six_bits(packed: &[u8], group: usize) -> (u8, u8) {
    // The first four are plain; the upper two bits of the last four are in the bytes of the first
    // four.
    if group < 4 {
        return (packed[group] & 63, packed[group + 4] & 63);
    }
    let low = packed[group + 4];
    ((low & 15) | ((packed[group - 4] >> 6) << 4), (low >> 4) | ((packed[group] >> 6) << 4))
}

impl Block {
    /// Reads numbers `32 * at` to `32 * at + 31` of a row.
    pub(super) fn read(format: BlockFormat, row: &[u8], at: usize) -> Self {
        let (numbers, bytes) = format.block();
        let group = at % (numbers / BLOCK);
        let block = &row[at / (numbers / BLOCK) * bytes..][..bytes];
        let scale = half(block, 0);
        match format {
            BlockFormat::Q8_0 => {
                let numbers = std::array::from_fn(|i| block[2 + i] as i8);
                Self { numbers, scale, minimum: 0.0 }
            }
            BlockFormat::Q4_0 => Self { numbers: halves(&block[2..], 8), scale, minimum: 0.0 },
            BlockFormat::Q4_1 => {
                Self { numbers: halves(&block[4..], 0), scale, minimum: half(block, 2) }
            }
            BlockFormat::Q4_K => {
                let (s, m) = six_bits(&block[4..16], group);
                let run = &block[16 + group / 2 * BLOCK..][..BLOCK];
                let shift = 4 * (group % 2);
                Self {
                    numbers: std::array::from_fn(|i| ((run[i] >> shift) & 15) as i8),
                    scale: scale * f32::from(s),
                    minimum: -(half(block, 2) * f32::from(m)),
                }
            }
        }
    }

    /// Writes the numbers as f32.
    pub(super) fn widen(&self, out: &mut [f32; BLOCK]) {
        for (out, &number) in out.iter_mut().zip(&self.numbers) {
            *out = self.scale * f32::from(number) + self.minimum;
        }
    }
}
