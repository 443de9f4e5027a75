//! Tiles of a product in registers: the one place that computes products of f32.
//!
//! The sums of a tile stay in registers while the factors' columns and rows are read in order. Tiles
//! of any size give the same bits, as each sum is a chain of its own.

#![expect(unsafe_code, reason = "registers are loaded and stored through pointers")]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64 as x86;

use super::register::Register;
use crate::cpu::isa::Isa;
use crate::cpu::simd::prefetch;

/// Tiles one below the other: `depth` columns of the left factor times `depth` rows of the right
/// one.
#[derive(Clone, Copy)]
pub(super) struct Tiles {
    pub(super) rows: usize,
    /// Registers side by side: 1 or 2.
    pub(super) registers: usize,
    pub(super) depth: usize,
    /// The left factor: element `[row, p]` of a tile is at `row * a_row + p * a_step`.
    pub(super) a: *const f32,
    pub(super) a_row: usize,
    pub(super) a_step: usize,
    /// Distance of the next tile.
    pub(super) a_tile: usize,
    /// The right factor: row `p` begins at `p * b_step`.
    pub(super) b: *const f32,
    pub(super) b_step: usize,
    pub(super) out: *mut f32,
    pub(super) out_row: usize,
    /// `true` adds to the values that are there.
    pub(super) add: bool,
}

/// Returns the rows of a full tile, and the numbers in a register.
pub(super) fn shape(isa: Isa) -> [usize; 2] {
    match isa {
        Isa::Avx512 | Isa::Wide => [12, 16],
        Isa::Avx2 | Isa::Portable => [6, 8],
    }
}

/// Registers side by side in a full tile.
pub(super) const ACROSS: usize = 2;

/// Most rows and columns of any instruction set's tile.
const LARGEST: [usize; 2] = [12, 32];

/// Computes the tiles.
///
/// # Safety
/// The processor has `isa`. The factors can be read and the output written, for all rows and
/// columns of the tiles; with `add` the output is initialised.
#[inline]
pub(super) unsafe fn compute(isa: Isa, tiles: Tiles) {
    // SAFETY: the caller promises what each of them asks for.
    unsafe {
        match isa {
            Isa::Portable => portable(tiles),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => avx2(tiles),
            #[cfg(target_arch = "x86_64")]
            Isa::Wide => wide(tiles),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => avx512(tiles),
            #[cfg(not(target_arch = "x86_64"))]
            _ => unreachable!("no other instruction set is here"),
        }
    }
}

/// Computes tiles of which only the first `columns` belong to the output.
///
/// # Safety
/// As for [`compute`], but no other columns are written. The right factor has whole registers.
pub(super) unsafe fn compute_part(isa: Isa, tiles: Tiles, columns: usize) {
    let [height, _] = shape(isa);
    for (tile, first) in (0..tiles.rows).step_by(height).enumerate() {
        let rows = height.min(tiles.rows - first);
        let mut whole = [0.0; LARGEST[0] * LARGEST[1]];
        let a = tiles.a.wrapping_add(tile * tiles.a_tile);
        let to =
            Tiles { rows, a, out: whole.as_mut_ptr(), out_row: LARGEST[1], add: false, ..tiles };
        // SAFETY: `whole` has room for the largest tile; the caller answers for the rest.
        unsafe { compute(isa, to) };
        for (row, sums) in whole.chunks_exact(LARGEST[1]).take(rows).enumerate() {
            for (column, &sum) in sums[..columns].iter().enumerate() {
                // SAFETY: the element lies within the output.
                unsafe {
                    let out = tiles.out.add((first + row) * tiles.out_row + column);
                    *out = if tiles.add { *out + sum } else { sum };
                }
            }
        }
    }
}

/// Computes a tile whose size is known, so that its sums are registers.
#[inline(always)]
unsafe fn fixed<R: Register, const ROWS: usize, const N: usize>(tile: Tiles) {
    // SAFETY: all reads and writes are within the tile, for which the caller of `compute` answers.
    unsafe {
        let mut sums = [[R::zero(); N]; ROWS];
        let (mut a, mut b) = (tile.a, tile.b);
        // Sums are added at the end: by then these lines have come.
        for r in 0..ROWS {
            let row = tile.out.wrapping_add(r * tile.out_row);
            prefetch(row);
            prefetch(row.wrapping_add(N * R::WIDTH - 1));
        }
        // Two forms, so that distances within the loop are constants where they can be.
        if tile.a_row == 1 {
            for _ in 0..tile.depth {
                let right: [R; N] = std::array::from_fn(|v| R::load(b.add(v * R::WIDTH)));
                for (r, sums) in sums.iter_mut().enumerate() {
                    let left = R::splat(a.add(r));
                    for (sum, right) in sums.iter_mut().zip(right) {
                        *sum = sum.plus_product(left, right);
                    }
                }
                a = a.add(tile.a_step);
                b = b.add(tile.b_step);
            }
        } else {
            for _ in 0..tile.depth {
                let right: [R; N] = std::array::from_fn(|v| R::load(b.add(v * R::WIDTH)));
                for (r, sums) in sums.iter_mut().enumerate() {
                    let left = R::splat(a.add(r * tile.a_row));
                    for (sum, right) in sums.iter_mut().zip(right) {
                        *sum = sum.plus_product(left, right);
                    }
                }
                a = a.add(tile.a_step);
                b = b.add(tile.b_step);
            }
        }
        for (r, sums) in sums.into_iter().enumerate() {
            for (v, sum) in sums.into_iter().enumerate() {
                let out = tile.out.add(r * tile.out_row + v * R::WIDTH);
                let sum = if tile.add { R::load(out).plus(sum) } else { sum };
                sum.store(out);
            }
        }
    }
}

/// Computes full tiles of `$full` rows, and one of the rows that are left.
macro_rules! by_size {
    ($register:ty, $tiles:ident, $full:literal, $($left:literal)*) => {
        match $tiles.registers {
            1 => by_size!($register, 1, $tiles, $full, $($left)*),
            2 => by_size!($register, 2, $tiles, $full, $($left)*),
            registers => unreachable!("no tile has {registers} registers"),
        }
    };
    ($register:ty, $n:literal, $tiles:ident, $full:literal, $($left:literal)*) => {{
        let mut tile = $tiles;
        while tile.rows >= $full {
            fixed::<$register, $full, $n>(tile);
            tile.rows -= $full;
            tile.a = tile.a.wrapping_add(tile.a_tile);
            tile.out = tile.out.wrapping_add($full * tile.out_row);
        }
        match tile.rows {
            $($left => fixed::<$register, $left, $n>(tile),)*
            _ => {}
        }
    }};
}

/// Computes one column of the output, for widths that are no whole number of registers.
///
/// # Safety
/// As for [`compute`].
pub(super) unsafe fn compute_column(isa: Isa, tiles: Tiles) {
    // SAFETY: as the caller promises.
    unsafe {
        match isa {
            Isa::Portable => by_size!(f32, tiles, 6, 1 2 3 4 5),
            #[cfg(target_arch = "x86_64")]
            _ => avx2_column(tiles),
            #[cfg(not(target_arch = "x86_64"))]
            _ => unreachable!("no other instruction set is here"),
        }
    }
}

/// # Safety
/// As for [`compute`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2_column(tiles: Tiles) {
    // SAFETY: as the caller promises.
    unsafe { by_size!(x86::__m128, tiles, 6, 1 2 3 4 5) }
}

/// # Safety
/// As for [`compute`].
unsafe fn portable(tiles: Tiles) {
    // SAFETY: as the caller promises.
    unsafe { by_size!([f32; 8], tiles, 6, 1 2 3 4 5) }
}

/// # Safety
/// As for [`compute`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2(tiles: Tiles) {
    // SAFETY: as the caller promises.
    unsafe { by_size!(x86::__m256, tiles, 6, 1 2 3 4 5) }
}

/// # Safety
/// As for [`compute`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn wide(tiles: Tiles) {
    // SAFETY: as the caller promises.
    unsafe { by_size!([x86::__m256; 2], tiles, 12, 1 2 3 4 5 6 7 8 9 10 11) }
}

/// # Safety
/// As for [`compute`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn avx512(tiles: Tiles) {
    // SAFETY: as the caller promises.
    unsafe { by_size!(x86::__m512, tiles, 12, 1 2 3 4 5 6 7 8 9 10 11) }
}
