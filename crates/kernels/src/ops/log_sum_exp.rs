//! The logarithm of a sum of exponentials.

use crate::cpu::simd::{Kernel, Simd, vectorised};
use crate::cpu::vector::{exp_negative, max};

/// Exponentials computed at a time.
const PIECE: usize = 1024;

/// Returns `ln sum(exp(x))` of a row; the exponentials are added up in double precision. NaN if one
/// is NaN or infinite, or all are minus infinity.
#[must_use]
pub fn log_sum_exp(row: &[f32]) -> f64 {
    let mut found = f64::NAN;
    vectorised(LogSumExp(row, &mut found));
    found
}

struct LogSumExp<'a>(&'a [f32], &'a mut f64);

impl Kernel for LogSumExp<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self(row, found) = self;
        let peak = max(simd, row);
        let (mut total, mut scratch) = (0.0, [0.0; PIECE]);
        for piece in row.chunks(PIECE) {
            let scratch = &mut scratch[..piece.len()];
            for (s, x) in scratch.iter_mut().zip(piece) {
                *s = exp_negative::<S>(x - peak);
            }
            total += scratch.iter().map(|&x| f64::from(x)).sum::<f64>();
        }
        *found = if peak.is_finite() { f64::from(peak) + libm::log(total) } else { f64::NAN };
    }
}
