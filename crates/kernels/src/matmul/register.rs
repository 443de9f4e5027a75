//! Registers of numbers, of each instruction set.

#![expect(unsafe_code, reason = "registers are loaded and stored through pointers")]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64 as x86;

/// A register of `WIDTH` numbers.
pub(super) trait Register: Copy {
    const WIDTH: usize;

    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    unsafe fn splat(from: *const f32) -> Self;
    unsafe fn zero() -> Self;
    unsafe fn plus(self, other: Self) -> Self;
    /// Computes `a b + self`, rounded once.
    unsafe fn plus_product(self, a: Self, b: Self) -> Self;
}

/// Computes `a b + c`.
#[inline(always)]
fn plus_product(a: f32, b: f32, c: f32) -> f32 {
    // Without the instruction `mul_add` would be a library call for each number.
    const FUSED: bool = cfg!(any(target_feature = "fma", target_arch = "aarch64"));
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// One number.
impl Register for f32 {
    const WIDTH: usize = 1;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: one number, for which the caller answers.
        unsafe { from.read() }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: as above.
        unsafe { to.write(self) }
    }

    #[inline(always)]
    unsafe fn splat(from: *const f32) -> Self {
        // SAFETY: as above.
        unsafe { from.read() }
    }

    #[inline(always)]
    unsafe fn zero() -> Self {
        0.0
    }

    #[inline(always)]
    unsafe fn plus(self, other: Self) -> Self {
        self + other
    }

    #[inline(always)]
    unsafe fn plus_product(self, a: Self, b: Self) -> Self {
        plus_product(a, b, self)
    }
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
        std::array::from_fn(|i| plus_product(a[i], b[i], self[i]))
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
register!(x86::__m256, 8, _mm256_loadu_ps _mm256_storeu_ps _mm256_set1_ps _mm256_setzero_ps _mm256_add_ps _mm256_fmadd_ps);
#[cfg(target_arch = "x86_64")]
// The lowest number of a register alone.
register!(x86::__m128, 1, _mm_load_ss _mm_store_ss _mm_set_ss _mm_setzero_ps _mm_add_ss _mm_fmadd_ss);
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
