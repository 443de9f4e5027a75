//! A tile of a product in registers: the one place that computes large products.
//!
//! The sums of a tile stay in registers while the factors' columns and rows are read in order. Tiles
//! of any size give the same bits, as each sum is a chain of its own.

#![expect(unsafe_code, reason = "registers are loaded and stored through pointers")]

use crate::cpu::isa::Isa;

/// A register of `WIDTH` numbers.
trait Register: Copy {
    const WIDTH: usize;

    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    unsafe fn splat(from: *const f32) -> Self;
    unsafe fn zero() -> Self;
    unsafe fn plus(self, other: Self) -> Self;
    /// Computes `a b + self`, rounded once.
    unsafe fn plus_product(self, a: Self, b: Self) -> Self;
}

/// One tile: `depth` columns of the left factor times `depth` rows of the right one.
#[derive(Clone, Copy)]
pub(super) struct Tile {
    pub(super) depth: usize,
    /// The left factor: element `[row, p]` is at `row * a_row + p * a_step`.
    pub(super) a: *const f32,
    pub(super) a_row: usize,
    pub(super) a_step: usize,
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
pub(super) const LARGEST: [usize; 2] = [12, 32];

/// Computes a tile of `rows` and `registers`, up to a full one.
///
/// # Safety
/// The processor has `isa`. The factors can be read and the output written, for all rows and
/// columns of the tile; with `add` the output is initialised.
#[inline]
pub(super) unsafe fn compute(isa: Isa, tile: Tile, [rows, registers]: [usize; 2]) {
    // SAFETY: the caller promises what each of them asks for.
    unsafe {
        match isa {
            Isa::Portable => portable(tile, rows, registers),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => avx2(tile, rows, registers),
            #[cfg(target_arch = "x86_64")]
            Isa::Wide => wide(tile, rows, registers),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => avx512(tile, rows, registers),
            #[cfg(not(target_arch = "x86_64"))]
            _ => unreachable!("no other instruction set is here"),
        }
    }
}

/// Computes a tile whose size is known, so that its sums are registers.
#[inline(always)]
unsafe fn fixed<R: Register, const ROWS: usize, const N: usize>(tile: Tile) {
    // SAFETY: all reads and writes are within the tile, for which the caller of `compute` answers.
    unsafe {
        let mut sums = [[R::zero(); N]; ROWS];
        let (mut a, mut b) = (tile.a, tile.b);
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

/// Calls `fixed` for the rows and registers at hand.
macro_rules! by_size {
    ($register:ty, $tile:ident, $rows:ident, $registers:ident, $($row:literal)*) => {
        match ($rows, $registers) {
            $(
                ($row, 1) => fixed::<$register, $row, 1>($tile),
                ($row, 2) => fixed::<$register, $row, 2>($tile),
            )*
            _ => unreachable!("no tile has {} x {} registers", $rows, $registers),
        }
    };
}

/// # Safety
/// As for [`compute`].
unsafe fn portable(tile: Tile, rows: usize, registers: usize) {
    // SAFETY: as the caller promises.
    unsafe { by_size!([f32; 8], tile, rows, registers, 1 2 3 4 5 6) }
}

/// # Safety
/// As for [`compute`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2(tile: Tile, rows: usize, registers: usize) {
    // SAFETY: as the caller promises.
    unsafe { by_size!(x86::__m256, tile, rows, registers, 1 2 3 4 5 6) }
}

/// # Safety
/// As for [`compute`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn wide(tile: Tile, rows: usize, registers: usize) {
    // SAFETY: as the caller promises.
    unsafe { by_size!([x86::__m256; 2], tile, rows, registers, 1 2 3 4 5 6 7 8 9 10 11 12) }
}

/// # Safety
/// As for [`compute`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn avx512(tile: Tile, rows: usize, registers: usize) {
    // SAFETY: as the caller promises.
    unsafe { by_size!(x86::__m512, tile, rows, registers, 1 2 3 4 5 6 7 8 9 10 11 12) }
}

impl Register for [f32; 8] {
    const WIDTH: usize = 8;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: eight numbers, for which the caller answers; arrays of f32 need no more alignment.
        unsafe { from.cast::<Self>().read() }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: as above.
        unsafe { to.cast::<Self>().write(self) }
    }

    #[inline(always)]
    unsafe fn splat(from: *const f32) -> Self {
        // SAFETY: one number, for which the caller answers.
        [unsafe { from.read() }; 8]
    }

    #[inline(always)]
    unsafe fn zero() -> Self {
        [0.0; 8]
    }

    #[inline(always)]
    unsafe fn plus(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] + other[i])
    }

    #[inline(always)]
    unsafe fn plus_product(self, a: Self, b: Self) -> Self {
        // Without the instruction `mul_add` would be a library call for each number.
        const FUSED: bool = cfg!(any(target_feature = "fma", target_arch = "aarch64"));
        std::array::from_fn(
            |i| if FUSED { a[i].mul_add(b[i], self[i]) } else { a[i] * b[i] + self[i] },
        )
    }
}

/// Implements [`Register`] for a type of `std::arch`.
#[cfg(target_arch = "x86_64")]
macro_rules! register {
    ($type:ty, $width:literal, $load:ident $store:ident $set:ident $zero:ident $add:ident $fma:ident) => {
        // SAFETY of all: the instructions are there, as the caller of `compute` promises, and so
        // is the memory.
        impl Register for $type {
            const WIDTH: usize = $width;

            #[inline(always)]
            unsafe fn load(from: *const f32) -> Self {
                unsafe { x86::$load(from) }
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut f32) {
                unsafe { x86::$store(to, self) }
            }

            #[inline(always)]
            unsafe fn splat(from: *const f32) -> Self {
                unsafe { x86::$set(*from) }
            }

            #[inline(always)]
            unsafe fn zero() -> Self {
                unsafe { x86::$zero() }
            }

            #[inline(always)]
            unsafe fn plus(self, other: Self) -> Self {
                unsafe { x86::$add(self, other) }
            }

            #[inline(always)]
            unsafe fn plus_product(self, a: Self, b: Self) -> Self {
                unsafe { x86::$fma(a, b, self) }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64 as x86;

#[cfg(target_arch = "x86_64")]
register!(x86::__m256, 8, _mm256_loadu_ps _mm256_storeu_ps _mm256_set1_ps _mm256_setzero_ps _mm256_add_ps _mm256_fmadd_ps);
#[cfg(target_arch = "x86_64")]
register!(x86::__m512, 16, _mm512_loadu_ps _mm512_storeu_ps _mm512_set1_ps _mm512_setzero_ps _mm512_add_ps _mm512_fmadd_ps);

/// Two registers as one of twice the width.
impl<R: Register> Register for [R; 2] {
    const WIDTH: usize = 2 * R::WIDTH;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: twice the numbers, for which the caller answers. So it is in all of these.
        unsafe { [R::load(from), R::load(from.add(R::WIDTH))] }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: see `load`.
        unsafe {
            self[0].store(to);
            self[1].store(to.add(R::WIDTH));
        }
    }

    #[inline(always)]
    unsafe fn splat(from: *const f32) -> Self {
        // SAFETY: see `load`.
        [unsafe { R::splat(from) }; 2]
    }

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: see `load`.
        [unsafe { R::zero() }; 2]
    }

    #[inline(always)]
    unsafe fn plus(self, other: Self) -> Self {
        // SAFETY: see `load`.
        unsafe { [self[0].plus(other[0]), self[1].plus(other[1])] }
    }

    #[inline(always)]
    unsafe fn plus_product(self, a: Self, b: Self) -> Self {
        // SAFETY: see `load`.
        unsafe { [self[0].plus_product(a[0], b[0]), self[1].plus_product(a[1], b[1])] }
    }
}
