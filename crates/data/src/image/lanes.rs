//! Sixteen sums at once, with the instructions that this machine has.
//!
//! Work is compiled for AVX2 and for the baseline, and the choice made at run time. Both give the
//! same bytes: sums are of integers, so that neither their order nor their grouping changes them.
//! Functions that a [`Work`] calls must be `#[inline(always)]`, or they fall back to the baseline
//! instructions.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{__m128i, __m256i};

/// Fractional bits of a weight.
pub(crate) const PRECISION: u32 = 32 - 8 - 2;

/// Sixteen bytes, in the halves that are widened one by one.
pub(crate) type Sixteen = [[u8; 8]; 2];

/// Work that is done in lanes.
pub(crate) trait Work {
    fn run<L: Lanes>(self, lanes: L);
}

/// Does the work with the widest instructions this machine has.
pub(crate) fn vectorised<W: Work>(work: W) {
    #[cfg(target_arch = "x86_64")]
    if let Some(lanes) = pulp::x86::V3::try_new() {
        struct Enter<W>(pulp::x86::V3, W);
        impl<W: Work> pulp::NullaryFnOnce for Enter<W> {
            type Output = ();

            #[inline(always)]
            fn call(self) {
                self.1.run(self.0);
            }
        }
        lanes.vectorize(Enter(lanes, work));
        return;
    }
    work.run(Baseline);
}

/// An instruction set, by what resizing does with it.
pub(crate) trait Lanes: Copy {
    /// Sixteen 32-bit sums.
    type Sums: Copy;
    /// Sixteen bytes.
    type Bytes: Copy;
    /// Returns sixteen times the same value.
    fn splat(self, value: i32) -> Self::Sums;
    /// Returns `sums + values * weights`.
    fn add(self, sums: Self::Sums, values: &Sixteen, weights: Self::Sums) -> Self::Sums;
    /// Removes the fractional bits and clamps to 0..=255.
    fn clip(self, sums: Self::Sums) -> Self::Bytes;
    /// Loads from memory.
    fn load(self, values: Sixteen) -> Self::Bytes;
    /// Stores sixteen rows to memory.
    fn store(self, rows: [Self::Bytes; 16]) -> [Sixteen; 16];
    /// Stores one row to memory.
    fn bytes(self, row: Self::Bytes) -> Sixteen;
    /// Returns the columns of the rows.
    fn transpose(self, rows: [Self::Bytes; 16]) -> [Self::Bytes; 16];
}

/// Sums stay in registers of the machine's own type: with debug assertions `pulp::cast` goes
/// through memory and a check, which in the innermost loop costs more than the arithmetic.
#[cfg(target_arch = "x86_64")]
impl Lanes for pulp::x86::V3 {
    type Sums = [__m256i; 2];
    type Bytes = __m128i;

    #[inline(always)]
    fn splat(self, value: i32) -> Self::Sums {
        [self.avx._mm256_set1_epi32(value); 2]
    }

    #[inline(always)]
    fn add(
        self,
        [low, high]: Self::Sums,
        values: &Sixteen,
        [weights, _]: Self::Sums,
    ) -> Self::Sums {
        let first = self.sse2._mm_set_epi64x(0, i64::from_le_bytes(values[0]));
        let second = self.sse2._mm_set_epi64x(0, i64::from_le_bytes(values[1]));
        let avx2 = self.avx2;
        [
            avx2._mm256_add_epi32(
                low,
                avx2._mm256_mullo_epi32(avx2._mm256_cvtepu8_epi32(first), weights),
            ),
            avx2._mm256_add_epi32(
                high,
                avx2._mm256_mullo_epi32(avx2._mm256_cvtepu8_epi32(second), weights),
            ),
        ]
    }

    #[inline(always)]
    fn clip(self, [low, high]: Self::Sums) -> __m128i {
        const SHIFT: i32 = PRECISION as i32;
        // Packing saturates, and works on each half of a register: the quarters come out as 0, 2,
        // 1, 3.
        let (low, high) =
            (self.avx2._mm256_srai_epi32::<SHIFT>(low), self.avx2._mm256_srai_epi32::<SHIFT>(high));
        let words = self.avx2._mm256_packs_epi32(low, high);
        let (first, second) = (
            self.avx._mm256_castsi256_si128(words),
            self.avx2._mm256_extracti128_si256::<1>(words),
        );
        self.sse2._mm_shuffle_epi32::<0b11_01_10_00>(self.sse2._mm_packus_epi16(first, second))
    }

    #[inline(always)]
    fn load(self, [first, second]: Sixteen) -> __m128i {
        self.sse2._mm_set_epi64x(i64::from_le_bytes(second), i64::from_le_bytes(first))
    }

    #[inline(always)]
    fn store(self, rows: [__m128i; 16]) -> [Sixteen; 16] {
        pulp::cast(rows)
    }

    #[inline(always)]
    fn bytes(self, row: __m128i) -> Sixteen {
        pulp::cast(row)
    }

    #[inline(always)]
    fn transpose(self, rows: [__m128i; 16]) -> [__m128i; 16] {
        // Each round turns the eight bits of a byte's place, row and column, by one; four exchange
        // row and column.
        let round = |before: [__m128i; 16]| {
            let mut after = before;
            for i in 0..8 {
                after[2 * i] = self.sse2._mm_unpacklo_epi8(before[i], before[i + 8]);
                after[2 * i + 1] = self.sse2._mm_unpackhi_epi8(before[i], before[i + 8]);
            }
            after
        };
        round(round(round(round(rows))))
    }
}

/// The instructions that every machine of the target has.
#[derive(Clone, Copy)]
pub(crate) struct Baseline;

impl Lanes for Baseline {
    type Sums = [i32; 16];
    type Bytes = Sixteen;

    #[inline(always)]
    fn splat(self, value: i32) -> [i32; 16] {
        [value; 16]
    }

    #[inline(always)]
    fn add(self, mut sums: [i32; 16], values: &Sixteen, weights: [i32; 16]) -> [i32; 16] {
        for i in 0..16 {
            sums[i] =
                sums[i].wrapping_add(i32::from(values[i / 8][i % 8]).wrapping_mul(weights[i]));
        }
        sums
    }

    #[inline(always)]
    fn clip(self, sums: [i32; 16]) -> Sixteen {
        let mut out = [[0; 8]; 2];
        for i in 0..16 {
            out[i / 8][i % 8] = (sums[i] >> PRECISION).clamp(0, 255) as u8;
        }
        out
    }

    #[inline(always)]
    fn load(self, values: Sixteen) -> Sixteen {
        values
    }

    #[inline(always)]
    fn store(self, rows: [Sixteen; 16]) -> [Sixteen; 16] {
        rows
    }

    #[inline(always)]
    fn bytes(self, row: Sixteen) -> Sixteen {
        row
    }

    #[inline(always)]
    fn transpose(self, rows: [Sixteen; 16]) -> [Sixteen; 16] {
        let mut out = [[[0; 8]; 2]; 16];
        for (i, row) in rows.iter().enumerate() {
            for (j, &value) in row.as_flattened().iter().enumerate() {
                out[j][i / 8][i % 8] = value;
            }
        }
        out
    }
}
