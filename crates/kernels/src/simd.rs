//! Run-time choice of the instruction set, and the vector arithmetic that all kernels share.
//!
//! Loops are plain Rust over slices. Inside [`vectorised`] they are compiled twice: for the baseline and for AVX2 with FMA. A
//! [`Kernel`] and all that it calls in a hot loop must be `#[inline(always)]`, or it falls back to the baseline instructions.

/// Work that is compiled for each instruction set.
pub(crate) trait Kernel {
    /// Does the work; `FMA` says that multiply-add is one instruction.
    fn run<const FMA: bool>(self);
}

/// Runs the kernel with the widest instructions this machine has.
pub(crate) fn vectorised<K: Kernel>(kernel: K) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
        #[expect(unsafe_code, reason = "the one place where the detected instruction set is entered")]
        // SAFETY: `with_avx2` is a safe function whose only requirement is that the processor has AVX2 and FMA: just tested.
        unsafe {
            with_avx2(kernel);
        }
        return;
    }
    kernel.run::<false>();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn with_avx2<K: Kernel>(kernel: K) {
    kernel.run::<true>();
}

/// `a * b + c`. Without FMA instructions `mul_add` would be a library call.
#[inline(always)]
pub(crate) fn madd<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// `exp(x)` for `x <= 0`, relative error below 2e-7; 0 below -87, where the result would be subnormal. Keeps NaN.
#[inline(always)]
pub(crate) fn exp_negative<const FMA: bool>(x: f32) -> f32 {
    // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits: no conversion instruction is needed.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts, the first exact in few bits, so that `x - n ln 2` keeps its last bits.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let clamped = if x < -87.0 { -87.0 } else { x };
    let shifted = madd::<FMA>(clamped, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = madd::<FMA>(n, -LN2_LOW, madd::<FMA>(n, -LN2_HIGH, clamped));
    let mut p = 1.987_569_1e-4;
    for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5, 1.0, 1.0] {
        p = madd::<FMA>(p, r, c);
    }
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000));
    if x < -87.0 { 0.0 } else { p * power }
}

/// `N` consecutive values from `at` on.
#[inline(always)]
pub(crate) fn lanes<const N: usize>(x: &[f32], at: usize) -> &[f32; N] {
    match x[at..].first_chunk() {
        Some(lanes) => lanes,
        None => unreachable!("{N} values at {at} of {}", x.len()),
    }
}

/// Folds sixteen partial results; the order is fixed, so that a row's result never depends on its surroundings.
#[inline(always)]
fn fold(parts: [f32; 16], rest: f32, f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut half = [0.0; 8];
    for i in 0..8 {
        half[i] = f(parts[i], parts[i + 8]);
    }
    let quarter = [f(half[0], half[4]), f(half[1], half[5]), f(half[2], half[6]), f(half[3], half[7])];
    f(f(f(quarter[0], quarter[2]), f(quarter[1], quarter[3])), rest)
}

/// Sum.
#[inline(always)]
pub(crate) fn sum(x: &[f32]) -> f32 {
    let (chunks, rest) = x.as_chunks::<16>();
    let mut parts = [0.0; 16];
    for chunk in chunks {
        for i in 0..16 {
            parts[i] += chunk[i];
        }
    }
    let (eight, rest) = rest.as_chunks::<8>();
    for chunk in eight {
        for i in 0..8 {
            parts[i] += chunk[i];
        }
    }
    let mut tail = 0.0;
    for &v in rest {
        tail += v;
    }
    fold(parts, tail, |a, b| a + b)
}

/// Sum of products.
#[inline(always)]
pub(crate) fn dot<const FMA: bool>(x: &[f32], y: &[f32]) -> f32 {
    let (chunks, rest) = x.as_chunks::<16>();
    let (other_chunks, other_rest) = y.as_chunks::<16>();
    let mut parts = [0.0; 16];
    for (a, b) in chunks.iter().zip(other_chunks) {
        for i in 0..16 {
            parts[i] = madd::<FMA>(a[i], b[i], parts[i]);
        }
    }
    let (eight, rest) = rest.as_chunks::<8>();
    let (other_eight, other_rest) = other_rest.as_chunks::<8>();
    for (a, b) in eight.iter().zip(other_eight) {
        for i in 0..8 {
            parts[i] = madd::<FMA>(a[i], b[i], parts[i]);
        }
    }
    let mut tail = 0.0;
    for (&a, &b) in rest.iter().zip(other_rest) {
        tail = madd::<FMA>(a, b, tail);
    }
    fold(parts, tail, |a, b| a + b)
}

/// Largest value; NaN is passed over.
#[inline(always)]
pub(crate) fn max(x: &[f32]) -> f32 {
    #[inline(always)]
    fn larger(a: f32, b: f32) -> f32 {
        if b > a { b } else { a }
    }
    let (chunks, rest) = x.as_chunks::<16>();
    let mut parts = [f32::NEG_INFINITY; 16];
    for chunk in chunks {
        for i in 0..16 {
            parts[i] = larger(parts[i], chunk[i]);
        }
    }
    let (eight, rest) = rest.as_chunks::<8>();
    for chunk in eight {
        for i in 0..8 {
            parts[i] = larger(parts[i], chunk[i]);
        }
    }
    let mut tail = f32::NEG_INFINITY;
    for &v in rest {
        tail = larger(tail, v);
    }
    fold(parts, tail, larger)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_exact_to_the_last_bits() {
        for step in 0..88_000 {
            let x = -(step as f32) / 1000.0;
            let want = f64::from(x).exp();
            let (plain, fma) = (f64::from(exp_negative::<false>(x)), f64::from(exp_negative::<true>(x)));
            if x >= -87.0 {
                assert!((plain / want - 1.0).abs() < 2e-7, "{x}: {plain} for {want}");
                assert!((fma / want - 1.0).abs() < 2e-7, "{x}: {fma} for {want}");
            }
        }
        assert_eq!(exp_negative::<true>(-1e4), 0.0);
        assert_eq!(exp_negative::<true>(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp_negative::<true>(0.0), 1.0);
        assert!(exp_negative::<true>(f32::NAN).is_nan());
    }

    #[test]
    fn reductions_cover_every_length() {
        for n in 0..70 {
            let x: Vec<f32> = (0..n).map(|i| ((i * 7) % 11) as f32 - 20.0).collect();
            assert_eq!(sum(&x), x.iter().sum::<f32>());
            assert_eq!(dot::<true>(&x, &x), x.iter().map(|v| v * v).sum::<f32>());
            assert_eq!(max(&x), x.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        }
    }
}
