//! Products of eight rows of a matrix at a time, in integers.

#![expect(
    clippy::needless_range_loop,
    reason = "a lane is an index of several arrays, and iterators over them are not always inlined"
)]

use std::arch::x86_64::{__m256, __m256i};
use std::marker::PhantomData;

use super::LANES;
use super::block::{BLOCK, BlockFormat};
use super::formats::{Eight, Format, Q4K, Q40, Q41, Q80};
use super::integers::{
    self, IntegerKernel, Integers, fours, load32, store32, totals, totals_of_pairs,
};
use super::rows::RowBlock;
use crate::cpu::simd::Simd;

/// Fewest rows of `x` for which blocks are unpacked into a [`Panel`] first (measured).
const PANEL: usize = 3;

/// 32 columns of eight rows of a matrix, unpacked.
#[derive(Clone, Copy)]
#[repr(align(32))]
struct Unpacked {
    /// Four neighbours of each of the eight rows, then the next four.
    numbers: [[u8; 32]; 8],
    scales: [f32; 8],
    minima: [f32; 8],
}

const EMPTY: Unpacked = Unpacked { numbers: [[0; 32]; 8], scales: [0.0; 8], minima: [0.0; 8] };

/// Computes `out [rows of x, rows of w] = x w'`, for rows of so many blocks. Returns `false`, with
/// nothing computed, if the processor lacks the instructions.
pub(super) fn times(
    format: BlockFormat,
    x: &[RowBlock],
    blocks: usize,
    w: &[u8],
    out: &mut [f32],
) -> bool {
    match format {
        BlockFormat::Q8_0 => run::<Q80>(x, blocks, w, out),
        BlockFormat::Q4_0 => run::<Q40>(x, blocks, w, out),
        BlockFormat::Q4_1 => run::<Q41>(x, blocks, w, out),
        BlockFormat::Q4_K => run::<Q4K>(x, blocks, w, out),
    }
}

fn run<F: Format>(x: &[RowBlock], blocks: usize, w: &[u8], out: &mut [f32]) -> bool {
    // Registers are loaded from whole blocks without further checks.
    let stride = blocks * F::BYTES;
    assert!(blocks > 0 && blocks.is_multiple_of(F::BLOCK / BLOCK), "{blocks} blocks a row");
    assert!(x.len().is_multiple_of(blocks) && w.len().is_multiple_of(stride), "whole rows");
    integers::run(Product { x, blocks, w, stride, out, format: PhantomData::<F> })
}

/// `out [rows of x, rows of w] = x w'`.
struct Product<'a, F> {
    x: &'a [RowBlock],
    /// Blocks of a row of `x`.
    blocks: usize,
    /// Whole rows of the matrix.
    w: &'a [u8],
    /// Bytes of a row of the matrix.
    stride: usize,
    out: &'a mut [f32],
    format: PhantomData<F>,
}

impl<F: Format> IntegerKernel for Product<'_, F> {
    #[inline(always)]
    fn run<I: Integers>(self, simd: I) {
        let Self { x, blocks, w, stride, out, .. } = self;
        let columns = w.len() / stride;
        let rows = x.len() / blocks;
        let mut panel = if rows >= PANEL { vec![EMPTY; blocks] } else { Vec::new() };
        for first in (0..columns).step_by(LANES) {
            let count = LANES.min(columns - first);
            // Lanes without a row repeat the last one.
            let row = |lane: usize| &w[(first + lane.min(count - 1)) * stride..][..stride];
            let eight = Eight(std::array::from_fn(row));
            let mut put = |row: usize, sums: [f32; LANES]| {
                let at = row * columns + first;
                out[at..at + count].copy_from_slice(&sums[..count]);
            };
            if rows < PANEL {
                for (row, x) in x.chunks_exact(blocks).enumerate() {
                    put(row, direct::<I, F>(simd, eight, x));
                }
                continue;
            }
            unpack::<I, F>(simd, eight, &mut panel);
            let mut fours = x.chunks_exact(4 * blocks);
            for (i, x) in fours.by_ref().enumerate() {
                let x = std::array::from_fn(|r| &x[r * blocks..][..blocks]);
                for (r, sums) in multiply::<I, F, 4>(simd, &panel, x).into_iter().enumerate() {
                    put(4 * i + r, sums);
                }
            }
            let done = rows / 4 * 4;
            for (i, x) in fours.remainder().chunks_exact(blocks).enumerate() {
                let [sums] = multiply::<I, F, 1>(simd, &panel, [x]);
                put(done + i, sums);
            }
        }
    }
}

/// Returns the products of one row with eight, without unpacking them to memory.
#[inline(always)]
fn direct<I: Integers, F: Format>(simd: I, eight: Eight<'_>, x: &[RowBlock]) -> [f32; LANES] {
    let (avx, avx2) = (simd.v3().avx, simd.v3().avx2);
    let zero = avx._mm256_setzero_si256();
    let mut sums = [avx._mm256_setzero_ps(); 2];
    // The next eight rows.
    let ahead = eight.0[LANES - 1].as_ptr_range().end;
    for (at, x) in x.iter().enumerate() {
        prefetch::<I, F>(simd, ahead, at);
        let values = load32(simd, bytes_of(&x.numbers));
        let mut parts = [zero; LANES];
        for lane in 0..LANES {
            let numbers = F::numbers(simd, eight.0[lane], at);
            parts[lane] = match (F::SIGNED, I::DOT) {
                (false, false) => avx2._mm256_maddubs_epi16(numbers, values),
                (false, true) => simd.dot(zero, numbers, values),
                (true, false) => {
                    let signed = avx2._mm256_sign_epi8(values, numbers);
                    simd.dot(zero, avx2._mm256_abs_epi8(numbers), signed)
                }
                (true, true) => simd.dot(zero, flipped(simd, numbers), values),
            };
        }
        let total =
            if F::SIGNED || I::DOT { totals(simd, parts) } else { totals_of_pairs(simd, parts) };
        let (scales, minima) = F::scales(simd, eight, at);
        sums = add_block::<I, F>(simd, total, x, [scales, minima], sums);
    }
    store(simd, sums)
}

/// Adds the scaled total of a block, and its minimum, to the sums.
#[inline(always)]
fn add_block<I: Integers, F: Format>(
    simd: I,
    total: __m256i,
    x: &RowBlock,
    [scales, minima]: [__m256; 2],
    [sum, least]: [__m256; 2],
) -> [__m256; 2] {
    let (avx, fma) = (simd.v3().avx, simd.v3().fma);
    let zero = if F::SIGNED && I::DOT { 128 } else { F::ZERO };
    let total = if zero == 0 {
        total
    } else {
        simd.v3().avx2._mm256_sub_epi32(total, avx._mm256_set1_epi32(zero * x.sum))
    };
    let scales = avx._mm256_mul_ps(scales, avx._mm256_set1_ps(x.scale));
    let sum = fma._mm256_fmadd_ps(avx._mm256_cvtepi32_ps(total), scales, sum);
    if !F::MINIMA {
        return [sum, least];
    }
    [sum, fma._mm256_fmadd_ps(minima, avx._mm256_set1_ps(x.scaled_sum), least)]
}

/// Maps signed bytes to unsigned ones that are 128 more.
#[inline(always)]
fn flipped<I: Integers>(simd: I, numbers: __m256i) -> __m256i {
    simd.v3().avx2._mm256_xor_si256(numbers, simd.v3().avx._mm256_set1_epi8(-128))
}

/// Unpacks eight rows.
#[inline(always)]
fn unpack<I: Integers, F: Format>(simd: I, eight: Eight<'_>, panel: &mut [Unpacked]) {
    let ahead = eight.0[LANES - 1].as_ptr_range().end;
    for (at, block) in panel.iter_mut().enumerate() {
        prefetch::<I, F>(simd, ahead, at);
        let mut rows = [simd.v3().avx._mm256_setzero_si256(); LANES];
        for lane in 0..LANES {
            let numbers = F::numbers(simd, eight.0[lane], at);
            rows[lane] = if F::SIGNED && I::DOT { flipped(simd, numbers) } else { numbers };
        }
        for (four, numbers) in block.numbers.iter_mut().zip(transpose(simd, rows)) {
            store32(simd, numbers, four);
        }
        let (scales, minima) = F::scales(simd, eight, at);
        (block.scales, block.minima) = (pulp::cast(scales), pulp::cast(minima));
    }
}

/// Transposes eight rows of eight groups of four bytes.
#[inline(always)]
fn transpose<I: Integers>(simd: I, rows: [__m256i; LANES]) -> [__m256i; LANES] {
    let avx = simd.v3().avx;
    let mut floats = [avx._mm256_setzero_ps(); LANES];
    for lane in 0..LANES {
        floats[lane] = avx._mm256_castsi256_ps(rows[lane]);
    }
    let floats = simd.v3().transpose(floats);
    let mut out = rows;
    for lane in 0..LANES {
        out[lane] = avx._mm256_castps_si256(floats[lane]);
    }
    out
}

/// Returns the products of `R` rows with eight unpacked ones.
#[inline(always)]
fn multiply<I: Integers, F: Format, const R: usize>(
    simd: I,
    panel: &[Unpacked],
    x: [&[RowBlock]; R],
) -> [[f32; LANES]; R] {
    let (avx, avx2) = (simd.v3().avx, simd.v3().avx2);
    assert!(x.iter().all(|x| x.len() == panel.len()));
    let mut sums = [[avx._mm256_setzero_ps(); 2]; R];
    for (at, block) in panel.iter().enumerate() {
        let mut totals = [avx._mm256_setzero_si256(); R];
        for (four, numbers) in block.numbers.iter().enumerate() {
            let numbers = load32(simd, numbers);
            for r in 0..R {
                let total = totals[r];
                let x = avx._mm256_set1_epi32(i32::from_le_bytes(four_of(&x[r][at].numbers, four)));
                totals[r] = match (F::SIGNED, I::DOT) {
                    // Eight sums of two products of at most 15 * 127 fit 16 bits.
                    (false, false) => {
                        avx2._mm256_add_epi16(total, avx2._mm256_maddubs_epi16(numbers, x))
                    }
                    (true, false) => {
                        let signed = avx2._mm256_sign_epi8(x, numbers);
                        simd.dot(total, avx2._mm256_abs_epi8(numbers), signed)
                    }
                    (_, true) => simd.dot(total, numbers, x),
                };
            }
        }
        let (scales, minima) = (pulp::cast(block.scales), pulp::cast(block.minima));
        for r in 0..R {
            let total = totals[r];
            let total = if F::SIGNED || I::DOT { total } else { fours(simd, total) };
            sums[r] = add_block::<I, F>(simd, total, &x[r][at], [scales, minima], sums[r]);
        }
    }
    let mut out = [[0.0; LANES]; R];
    for r in 0..R {
        out[r] = store(simd, sums[r]);
    }
    out
}

/// Returns the sums of products and of minima together.
#[inline(always)]
fn store<I: Integers>(simd: I, [sum, least]: [__m256; 2]) -> [f32; LANES] {
    pulp::cast(simd.v3().avx._mm256_add_ps(sum, least))
}

#[inline(always)]
fn bytes_of(numbers: &[i8; 32]) -> &[u8; 32] {
    pulp::bytemuck::cast_ref(numbers)
}

#[inline(always)]
fn four_of(numbers: &[i8; 32], four: usize) -> [u8; 4] {
    let (fours, _) = bytes_of(numbers).as_chunks::<4>();
    fours[four]
}

/// Asks for the bytes of block `at` of eight rows that begin at `start`.
#[inline(always)]
#[expect(unsafe_code, reason = "a hint takes a pointer")]
fn prefetch<I: Integers, F: Format>(_: I, start: *const u8, at: usize) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    let start = start.wrapping_add(at * F::BYTES * LANES);
    for line in 0..(F::BYTES * LANES).div_ceil(64) {
        // SAFETY: a hint reads nothing; it may point anywhere.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(start.wrapping_add(line * 64).cast()) };
    }
}
