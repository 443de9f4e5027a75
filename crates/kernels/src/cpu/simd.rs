//! The instruction set, chosen at run time.
//!
//! A [`Kernel`] is compiled twice: for the baseline and for AVX2 with FMA. It and every function it
//! calls in a hot loop must be `#[inline(always)]`: otherwise that function uses the baseline
//! instructions. Loops over elements are plain Rust over slices, which LLVM vectorises. Reductions
//! and products are written out in eight lanes with [`Simd`]: LLVM may not reorder a sum, and below
//! `opt-level = 3` it does not find the lanes by itself.

use half::bf16;

/// Work that is compiled for each instruction set.
pub(crate) trait Kernel {
    /// Computes it with the vectors of one instruction set.
    fn run<S: Simd>(self, simd: S);
}

/// Runs the kernel with the widest instructions this machine has.
pub(crate) fn vectorised<K: Kernel>(kernel: K) {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = pulp::x86::V3::try_new() {
        struct Enter<K>(pulp::x86::V3, K);
        impl<K: Kernel> pulp::NullaryFnOnce for Enter<K> {
            type Output = ();

            #[inline(always)]
            fn call(self) {
                self.1.run(self.0);
            }
        }
        simd.vectorize(Enter(simd, kernel));
        return;
    }
    kernel.run(Baseline);
}

/// An instruction set, by its vectors of eight.
pub(crate) trait Simd: Copy {
    /// Eight values.
    type Eight: Copy;
    /// `true` if multiply-add is one instruction.
    const FMA: bool;
    /// Loads eight values.
    fn load(self, x: &[f32; 8]) -> Self::Eight;
    /// Loads eight values of bf16 and widens them.
    fn load_bf16(self, x: &[bf16; 8]) -> Self::Eight;
    /// Stores eight values.
    fn store(self, x: Self::Eight) -> [f32; 8];
    /// Repeats one value eight times.
    fn splat(self, x: f32) -> Self::Eight;
    /// Computes `a + b`.
    fn add(self, a: Self::Eight, b: Self::Eight) -> Self::Eight;
    /// Computes `a * b`.
    fn mul(self, a: Self::Eight, b: Self::Eight) -> Self::Eight;
    /// Computes `a * b + c`.
    fn madd(self, a: Self::Eight, b: Self::Eight, c: Self::Eight) -> Self::Eight;
    /// Returns the larger of `new` and `old`; `old` if one is NaN.
    fn max(self, new: Self::Eight, old: Self::Eight) -> Self::Eight;
    /// Transposes eight rows.
    fn transpose(self, rows: [Self::Eight; 8]) -> [Self::Eight; 8];
}

#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "registers are read and written through pointers only")]
impl Simd for pulp::x86::V3 {
    // The register itself: from pulp's own vector, a structure of eight numbers, every operation
    // went through memory.
    type Eight = std::arch::x86_64::__m256;
    const FMA: bool = true;

    #[inline(always)]
    fn load(self, x: &[f32; 8]) -> Self::Eight {
        // SAFETY: `x` is eight readable numbers, and the load needs no alignment. A `V3` exists
        // only on a processor with AVX.
        unsafe { std::arch::x86_64::_mm256_loadu_ps(x.as_ptr()) }
    }

    #[inline(always)]
    fn load_bf16(self, x: &[bf16; 8]) -> Self::Eight {
        use std::arch::x86_64::{__m128i, _mm_loadu_si128};
        // SAFETY: `x` is sixteen readable bytes, and the load needs no alignment.
        let halves = unsafe { _mm_loadu_si128(x.as_ptr().cast::<__m128i>()) };
        // A bf16 is the upper half of an f32.
        let wide = self.avx2._mm256_slli_epi32::<16>(self.avx2._mm256_cvtepu16_epi32(halves));
        self.avx._mm256_castsi256_ps(wide)
    }

    #[inline(always)]
    fn store(self, x: Self::Eight) -> [f32; 8] {
        let mut out = [0.0; 8];
        // SAFETY: as above, and they are writable.
        unsafe { std::arch::x86_64::_mm256_storeu_ps(out.as_mut_ptr(), x) };
        out
    }

    #[inline(always)]
    fn splat(self, x: f32) -> Self::Eight {
        self.avx._mm256_set1_ps(x)
    }

    #[inline(always)]
    fn add(self, a: Self::Eight, b: Self::Eight) -> Self::Eight {
        self.avx._mm256_add_ps(a, b)
    }

    #[inline(always)]
    fn mul(self, a: Self::Eight, b: Self::Eight) -> Self::Eight {
        self.avx._mm256_mul_ps(a, b)
    }

    #[inline(always)]
    fn madd(self, a: Self::Eight, b: Self::Eight, c: Self::Eight) -> Self::Eight {
        self.fma._mm256_fmadd_ps(a, b, c)
    }

    #[inline(always)]
    fn max(self, new: Self::Eight, old: Self::Eight) -> Self::Eight {
        self.avx._mm256_max_ps(new, old)
    }

    #[inline(always)]
    fn transpose(self, rows: [Self::Eight; 8]) -> [Self::Eight; 8] {
        let avx = self.avx;
        let [a, b, c, d, e, f, g, h] = rows;
        let (ab, ba) = (avx._mm256_unpacklo_ps(a, b), avx._mm256_unpackhi_ps(a, b));
        let (cd, dc) = (avx._mm256_unpacklo_ps(c, d), avx._mm256_unpackhi_ps(c, d));
        let (ef, fe) = (avx._mm256_unpacklo_ps(e, f), avx._mm256_unpackhi_ps(e, f));
        let (gh, hg) = (avx._mm256_unpacklo_ps(g, h), avx._mm256_unpackhi_ps(g, h));
        let (a, b) = (avx._mm256_shuffle_ps::<0x44>(ab, cd), avx._mm256_shuffle_ps::<0xee>(ab, cd));
        let (c, d) = (avx._mm256_shuffle_ps::<0x44>(ba, dc), avx._mm256_shuffle_ps::<0xee>(ba, dc));
        let (e, f) = (avx._mm256_shuffle_ps::<0x44>(ef, gh), avx._mm256_shuffle_ps::<0xee>(ef, gh));
        let (g, h) = (avx._mm256_shuffle_ps::<0x44>(fe, hg), avx._mm256_shuffle_ps::<0xee>(fe, hg));
        [
            avx._mm256_permute2f128_ps::<0x20>(a, e),
            avx._mm256_permute2f128_ps::<0x20>(b, f),
            avx._mm256_permute2f128_ps::<0x20>(c, g),
            avx._mm256_permute2f128_ps::<0x20>(d, h),
            avx._mm256_permute2f128_ps::<0x31>(a, e),
            avx._mm256_permute2f128_ps::<0x31>(b, f),
            avx._mm256_permute2f128_ps::<0x31>(c, g),
            avx._mm256_permute2f128_ps::<0x31>(d, h),
        ]
    }
}

/// Asks the cache for the line at an address, which may be any.
#[inline(always)]
#[expect(unsafe_code, reason = "the instruction takes a pointer")]
pub(crate) fn prefetch(at: *const f32) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch of any address reads nothing that the program sees, and never fails.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// The instructions that every processor of the target has.
#[derive(Clone, Copy)]
pub(crate) struct Baseline;

impl Simd for Baseline {
    type Eight = [f32; 8];
    const FMA: bool = false;

    #[inline(always)]
    fn load(self, x: &[f32; 8]) -> [f32; 8] {
        *x
    }

    #[inline(always)]
    fn load_bf16(self, x: &[bf16; 8]) -> [f32; 8] {
        x.map(bf16::to_f32)
    }

    #[inline(always)]
    fn store(self, x: [f32; 8]) -> [f32; 8] {
        x
    }

    #[inline(always)]
    fn splat(self, x: f32) -> [f32; 8] {
        [x; 8]
    }

    #[inline(always)]
    fn add(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        let mut out = [0.0; 8];
        for i in 0..8 {
            out[i] = a[i] + b[i];
        }
        out
    }

    #[inline(always)]
    fn mul(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        let mut out = [0.0; 8];
        for i in 0..8 {
            out[i] = a[i] * b[i];
        }
        out
    }

    #[inline(always)]
    fn madd(self, a: [f32; 8], b: [f32; 8], c: [f32; 8]) -> [f32; 8] {
        let mut out = [0.0; 8];
        for i in 0..8 {
            out[i] = a[i] * b[i] + c[i];
        }
        out
    }

    #[inline(always)]
    fn max(self, new: [f32; 8], old: [f32; 8]) -> [f32; 8] {
        let mut out = [0.0; 8];
        for i in 0..8 {
            out[i] = larger(new[i], old[i]);
        }
        out
    }

    #[inline(always)]
    fn transpose(self, rows: [[f32; 8]; 8]) -> [[f32; 8]; 8] {
        let mut out = [[0.0; 8]; 8];
        for (i, row) in rows.iter().enumerate() {
            for (j, &value) in row.iter().enumerate() {
                out[j][i] = value;
            }
        }
        out
    }
}

#[inline(always)]
pub(super) fn larger(new: f32, old: f32) -> f32 {
    if new > old { new } else { old }
}
