//! Vector arithmetic that all kernels share: reductions, exponential and logarithm, and short slices.

use super::simd::{Simd, larger};

/// Computes `a * b + c`.
// Without FMA instructions `mul_add` would be a library call.
#[inline(always)]
pub(crate) fn madd<S: Simd>(a: f32, b: f32, c: f32) -> f32 {
    if S::FMA { a.mul_add(b, c) } else { a * b + c }
}

/// Computes `exp(x)` for `x <= 0` with a relative error below 2e-7. Returns 0 below -87, where the
/// result would be subnormal, and NaN for NaN.
#[inline(always)]
pub(crate) fn exp_negative<S: Simd>(x: f32) -> f32 {
    // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits: no conversion
    // instruction is needed.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts, the first exact in few bits, so that `x - n ln 2` keeps its last bits.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let clamped = if x < -87.0 { -87.0 } else { x };
    let shifted = madd::<S>(clamped, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = madd::<S>(n, -LN2_LOW, madd::<S>(n, -LN2_HIGH, clamped));
    let mut p = 1.987_569_1e-4;
    for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5, 1.0, 1.0] {
        p = madd::<S>(p, r, c);
    }
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000));
    if x < -87.0 { 0.0 } else { p * power }
}

/// Computes `ln(x)` with a relative error below 3e-7; exact at 1.
#[inline(always)]
pub(crate) fn ln<S: Simd>(x: f32) -> f32 {
    // The mantissa goes to [sqrt(1/2), sqrt(2)): the exponent is counted from there.
    const ROOT_HALF: u32 = 0x3f35_04f3;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    // A subnormal number is made normal first.
    let (scaled, offset) = if x < f32::MIN_POSITIVE { (x * 8_388_608.0, 23.0) } else { (x, 0.0) };
    let bits = scaled.to_bits().wrapping_sub(ROOT_HALF);
    let exponent = (bits as i32 >> 23) as f32 - offset;
    let r = f32::from_bits((bits & 0x7f_ffff).wrapping_add(ROOT_HALF)) - 1.0;
    let square = r * r;
    let mut p = 7.037_683_6e-2;
    for c in [
        -1.151_461_e-1,
        1.167_699_9e-1,
        -1.242_014_1e-1,
        1.424_932_3e-1,
        -1.666_805_8e-1,
        2.000_071_5e-1,
        -2.499_999_4e-1,
        3.333_333e-1,
    ] {
        p = madd::<S>(p, r, c);
    }
    let low = madd::<S>(exponent, LN2_LOW, madd::<S>(square, -0.5, p * r * square));
    let found = madd::<S>(exponent, LN2_HIGH, r + low);
    if x > 0.0 && x < f32::INFINITY {
        found
    } else if x == 0.0 {
        f32::NEG_INFINITY
    } else if x > 0.0 {
        x
    } else {
        f32::NAN
    }
}

/// Returns `N` consecutive values from `at` on.
#[inline(always)]
pub(crate) fn lanes<E, const N: usize>(x: &[E], at: usize) -> &[E; N] {
    match x[at..].first_chunk() {
        Some(lanes) => lanes,
        None => unreachable!("{N} values at {at} of {}", x.len()),
    }
}

/// Folds lanes and rest in a fixed order, so that a row's result never depends on its neighbours.
#[inline(always)]
fn fold(x: [f32; 8], rest: f32, f: impl Fn(f32, f32) -> f32) -> f32 {
    f(f(f(f(x[0], x[4]), f(x[2], x[6])), f(f(x[1], x[5]), f(x[3], x[7]))), rest)
}

/// Returns the sum of `x`.
#[inline(always)]
pub(crate) fn sum<S: Simd>(simd: S, x: &[f32]) -> f32 {
    // Two accumulators: an addition takes several cycles, and the next of the same chain waits for
    // it.
    let (mut even, mut odd) = (simd.splat(0.0), simd.splat(0.0));
    let (chunks, rest) = x.as_chunks::<8>();
    let (pairs, last) = chunks.as_chunks::<2>();
    for [a, b] in pairs {
        even = simd.add(simd.load(a), even);
        odd = simd.add(simd.load(b), odd);
    }
    for a in last {
        even = simd.add(simd.load(a), even);
    }
    let mut tail = 0.0;
    for &v in rest {
        tail += v;
    }
    fold(simd.store(simd.add(even, odd)), tail, |a, b| a + b)
}

/// Returns the sum of products of two rows of one length.
#[inline(always)]
pub(crate) fn dot<S: Simd>(simd: S, x: &[f32], y: &[f32]) -> f32 {
    let (mut even, mut odd) = (simd.splat(0.0), simd.splat(0.0));
    let ((x, x_rest), (y, y_rest)) = (x.as_chunks::<8>(), y.as_chunks::<8>());
    let ((x, x_last), (y, y_last)) = (x.as_chunks::<2>(), y.as_chunks::<2>());
    for ([a, b], [c, d]) in x.iter().zip(y) {
        even = simd.madd(simd.load(a), simd.load(c), even);
        odd = simd.madd(simd.load(b), simd.load(d), odd);
    }
    for (a, c) in x_last.iter().zip(y_last) {
        even = simd.madd(simd.load(a), simd.load(c), even);
    }
    let mut tail = 0.0;
    for (&a, &b) in x_rest.iter().zip(y_rest) {
        tail = madd::<S>(a, b, tail);
    }
    fold(simd.store(simd.add(even, odd)), tail, |a, b| a + b)
}

/// Returns the largest value, ignoring NaN.
#[inline(always)]
pub(crate) fn max<S: Simd>(simd: S, x: &[f32]) -> f32 {
    let mut peak = simd.splat(f32::NEG_INFINITY);
    let (chunks, rest) = x.as_chunks::<8>();
    for a in chunks {
        peak = simd.max(simd.load(a), peak);
    }
    let mut tail = f32::NEG_INFINITY;
    for &v in rest {
        tail = larger(v, tail);
    }
    fold(simd.store(peak), tail, |a, b| larger(b, a))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::simd::{Baseline, Kernel, vectorised};

    /// Baseline vectors, but with the scalar multiply-add of the other path.
    #[derive(Clone, Copy)]
    struct Fused;

    impl Simd for Fused {
        type Eight = ();
        const FMA: bool = true;
        fn load(self, _: &[f32; 8]) {}
        fn load_bf16(self, _: &[half::bf16; 8]) {}
        fn store(self, (): ()) -> [f32; 8] {
            [0.0; 8]
        }
        fn splat(self, _: f32) {}
        fn add(self, (): (), (): ()) {}
        fn mul(self, (): (), (): ()) {}
        fn madd(self, (): (), (): (), (): ()) {}
        fn max(self, (): (), (): ()) {}
        fn transpose(self, rows: [(); 8]) -> [(); 8] {
            rows
        }
    }

    #[test]
    fn exp_is_exact_to_the_last_bits() {
        for step in 0..88_000 {
            let x = -(step as f32) / 1000.0;
            let want = libm::exp(f64::from(x));
            let (plain, fma) =
                (f64::from(exp_negative::<Baseline>(x)), f64::from(exp_negative::<Fused>(x)));
            if x >= -87.0 {
                assert!((plain / want - 1.0).abs() < 2e-7, "{x}: {plain} for {want}");
                assert!((fma / want - 1.0).abs() < 2e-7, "{x}: {fma} for {want}");
            }
        }
        assert_eq!(exp_negative::<Fused>(-1e4), 0.0);
        assert_eq!(exp_negative::<Fused>(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp_negative::<Fused>(0.0), 1.0);
        assert!(exp_negative::<Fused>(f32::NAN).is_nan());
    }

    #[test]
    fn logarithm_is_exact_to_the_last_bits() {
        let check = |x: f32| {
            let want = libm::log(f64::from(x));
            for got in [ln::<Baseline>(x), ln::<Fused>(x)] {
                let error = (f64::from(got) - want).abs();
                assert!(error <= 3e-7 * want.abs(), "ln {x}: {got} for {want}");
            }
        };
        (1..200_000).for_each(|step| check(step as f32 / 1000.0));
        (1..3000_u32).for_each(|step| check(f32::from_bits(step * 700_001)));
        (0..2000).for_each(|step| check(1.0 + (step as f32 - 1000.0) * f32::EPSILON));
        assert_eq!(ln::<Fused>(1.0), 0.0);
        assert_eq!(ln::<Fused>(0.0), f32::NEG_INFINITY);
        assert_eq!(ln::<Fused>(f32::INFINITY), f32::INFINITY);
        assert!(ln::<Fused>(-1.0).is_nan() && ln::<Fused>(f32::NAN).is_nan());
    }

    struct Check<'a>(&'a [f32]);

    impl Kernel for Check<'_> {
        fn run<S: Simd>(self, simd: S) {
            let x = self.0;
            assert_eq!(sum(simd, x), x.iter().sum::<f32>());
            assert_eq!(dot(simd, x, x), x.iter().map(|v| v * v).sum::<f32>());
            assert_eq!(max(simd, x), x.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        }
    }

    #[test]
    fn reductions_cover_every_length() {
        for n in 0..70 {
            let x: Vec<f32> = (0..n).map(|i| ((i * 7) % 11) as f32 - 20.0).collect();
            vectorised(Check(&x));
            Check(&x).run(Baseline);
        }
    }
}
