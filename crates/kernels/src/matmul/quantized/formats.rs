//! Blocks of each format in registers.

#![expect(
    clippy::needless_range_loop,
    reason = "a lane is an index of several arrays, and iterators over them are not always inlined"
)]

use std::arch::x86_64::{__m256, __m256i};

use super::LANES;
use super::block::{BLOCK, six_bits};
use super::integers::{Integers, load16, load32, widen};

/// Eight rows of a matrix, each of whole blocks.
#[derive(Clone, Copy)]
pub(super) struct Eight<'a>(pub(super) [&'a [u8]; LANES]);

/// Returns `N` bytes of a row.
#[inline(always)]
#[expect(unsafe_code, reason = "a check at every load costs a tenth of the speed")]
fn bytes<const N: usize>(row: &[u8], at: usize) -> &[u8; N] {
    debug_assert!(at + N <= row.len());
    // SAFETY: rows are whole blocks (`product::run` checks it), and callers ask for blocks that the
    // row has.
    unsafe { &*row.as_ptr().add(at).cast() }
}

/// A format, by what a product needs of it.
pub(super) trait Format {
    /// `true` if numbers are signed bytes.
    const SIGNED: bool;
    /// Subtracted from every number.
    const ZERO: i32;
    /// `true` if blocks have a minimum.
    const MINIMA: bool;

    /// Numbers in a block.
    const BLOCK: usize = BLOCK;
    /// Bytes of 32 numbers.
    const BYTES: usize;

    /// Returns 32 numbers, in order.
    fn numbers<I: Integers>(simd: I, row: &[u8], at: usize) -> __m256i;

    /// Returns scales and minima of eight rows.
    fn scales<I: Integers>(simd: I, rows: Eight<'_>, at: usize) -> (__m256, __m256);
}

/// Splits 16 bytes into 32 numbers: first the low halves.
#[inline(always)]
fn halves<I: Integers>(simd: I, packed: &[u8; 16]) -> __m256i {
    let (avx, avx2) = (simd.v3().avx, simd.v3().avx2);
    let both = avx2._mm256_broadcastsi128_si256(load16(packed));
    let shifts = avx._mm256_set_epi32(4, 4, 4, 4, 0, 0, 0, 0);
    avx2._mm256_and_si256(avx2._mm256_srlv_epi32(both, shifts), avx._mm256_set1_epi8(15))
}

/// Widens the half-precision number at `at` of each row.
#[inline(always)]
fn eight_halves<I: Integers>(simd: I, rows: Eight<'_>, at: usize) -> __m256 {
    let mut h = [0; 8];
    for lane in 0..LANES {
        h[lane] = i16::from_le_bytes(*bytes(rows.0[lane], at));
    }
    let sse2 = simd.v3().sse2;
    widen(simd, sse2._mm_set_epi16(h[7], h[6], h[5], h[4], h[3], h[2], h[1], h[0]))
}

/// [`super::BlockFormat::Q8_0`].
pub(super) struct Q80;

impl Format for Q80 {
    const SIGNED: bool = true;
    const ZERO: i32 = 0;
    const MINIMA: bool = false;
    const BYTES: usize = 34;

    #[inline(always)]
    fn numbers<I: Integers>(simd: I, row: &[u8], at: usize) -> __m256i {
        load32(simd, bytes(row, at * 34 + 2))
    }

    #[inline(always)]
    fn scales<I: Integers>(simd: I, rows: Eight<'_>, at: usize) -> (__m256, __m256) {
        (eight_halves(simd, rows, at * 34), simd.v3().avx._mm256_setzero_ps())
    }
}

/// [`super::BlockFormat::Q4_0`].
pub(super) struct Q40;

impl Format for Q40 {
    const SIGNED: bool = false;
    const ZERO: i32 = 8;
    const MINIMA: bool = false;
    const BYTES: usize = 18;

    #[inline(always)]
    fn numbers<I: Integers>(simd: I, row: &[u8], at: usize) -> __m256i {
        halves(simd, bytes(row, at * 18 + 2))
    }

    #[inline(always)]
    fn scales<I: Integers>(simd: I, rows: Eight<'_>, at: usize) -> (__m256, __m256) {
        (eight_halves(simd, rows, at * 18), simd.v3().avx._mm256_setzero_ps())
    }
}

/// [`super::BlockFormat::Q4_1`].
pub(super) struct Q41;

impl Format for Q41 {
    const SIGNED: bool = false;
    const ZERO: i32 = 0;
    const MINIMA: bool = true;
    const BYTES: usize = 20;

    #[inline(always)]
    fn numbers<I: Integers>(simd: I, row: &[u8], at: usize) -> __m256i {
        halves(simd, bytes(row, at * 20 + 4))
    }

    #[inline(always)]
    fn scales<I: Integers>(simd: I, rows: Eight<'_>, at: usize) -> (__m256, __m256) {
        let (avx, avx2) = (simd.v3().avx, simd.v3().avx2);
        let mut h = [0; 8];
        for lane in 0..LANES {
            h[lane] = i32::from_le_bytes(*bytes(rows.0[lane], at * 20));
        }
        let pairs = avx._mm256_set_epi32(h[7], h[6], h[5], h[4], h[3], h[2], h[1], h[0]);
        // Scales to the lower eight bytes of each half, minima to the upper.
        let order = avx._mm256_set_epi64x(
            0x0f0e_0b0a_0706_0302,
            0x0d0c_0908_0504_0100,
            0x0f0e_0b0a_0706_0302,
            0x0d0c_0908_0504_0100,
        );
        let sorted =
            avx2._mm256_permute4x64_epi64::<0b11_01_10_00>(avx2._mm256_shuffle_epi8(pairs, order));
        let minima = avx2._mm256_extracti128_si256::<1>(sorted);
        (widen(simd, avx._mm256_castsi256_si128(sorted)), widen(simd, minima))
    }
}

/// [`super::BlockFormat::Q4_K`].
pub(super) struct Q4K;

impl Format for Q4K {
    const SIGNED: bool = false;
    const ZERO: i32 = 0;
    const MINIMA: bool = true;
    const BLOCK: usize = 256;
    const BYTES: usize = 18;

    #[inline(always)]
    fn numbers<I: Integers>(simd: I, row: &[u8], at: usize) -> __m256i {
        let (avx, avx2) = (simd.v3().avx, simd.v3().avx2);
        let (block, group) = (at / 8 * 144, at % 8);
        let both = load32(simd, bytes(row, block + 16 + group / 2 * 32));
        let shift = simd.v3().sse2._mm_cvtsi32_si128(4 * (group % 2) as i32);
        avx2._mm256_and_si256(avx2._mm256_srl_epi32(both, shift), avx._mm256_set1_epi8(15))
    }

    #[inline(always)]
    fn scales<I: Integers>(simd: I, rows: Eight<'_>, at: usize) -> (__m256, __m256) {
        let avx = simd.v3().avx;
        let (block, group) = (at / 8 * 144, at % 8);
        let (mut s, mut m) = ([0; 8], [0; 8]);
        for lane in 0..LANES {
            (s[lane], m[lane]) = six_bits(bytes::<12>(rows.0[lane], block + 4), group);
        }
        #[inline(always)]
        fn wide<I: Integers>(simd: I, all: [u8; 8]) -> __m256 {
            let low = simd.v3().sse2._mm_set_epi64x(0, i64::from_le_bytes(all));
            simd.v3().avx._mm256_cvtepi32_ps(simd.v3().avx2._mm256_cvtepu8_epi32(low))
        }
        let scales = wide(simd, s);
        let minima = wide(simd, m);
        let scales = avx._mm256_mul_ps(eight_halves(simd, rows, block), scales);
        let minima = avx._mm256_mul_ps(eight_halves(simd, rows, block + 2), minima);
        (scales, avx._mm256_sub_ps(avx._mm256_setzero_ps(), minima))
    }
}
