//! Arithmetic on sizes that come from files, without overflow.

use crate::ShapeError;
use std::iter::Sum;
use std::ops::{Add, Mul};

/// A number of parameters, operations or values that stops at `u64::MAX` instead of wrapping.
///
/// Cards and `config.json` files are written by others: a product of their sizes may not fit 64
/// bits. Plain integers would panic in a development build and wrap in a release build, where a
/// wrong cost looks like a right one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count(u64);

impl Count {
    /// Returns the number; `u64::MAX` if it did not fit.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }

    /// Divides, rounding down; a divisor of 0 counts as 1.
    #[must_use]
    pub fn over(self, divisor: u64) -> Self {
        Self(self.0 / divisor.max(1))
    }

    /// Subtracts, down to 0.
    #[must_use]
    pub fn less(self, other: impl Into<Self>) -> Self {
        Self(self.0.saturating_sub(other.into().0))
    }
}

impl From<u64> for Count {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

impl From<usize> for Count {
    fn from(number: usize) -> Self {
        Self(number as u64)
    }
}

impl<T: Into<Self>> Add<T> for Count {
    type Output = Self;
    fn add(self, other: T) -> Self {
        Self(self.0.saturating_add(other.into().0))
    }
}

impl<T: Into<Self>> Mul<T> for Count {
    type Output = Self;
    fn mul(self, other: T) -> Self {
        Self(self.0.saturating_mul(other.into().0))
    }
}

impl Sum for Count {
    fn sum<I: Iterator<Item = Self>>(numbers: I) -> Self {
        numbers.fold(Self::default(), |sum, number| sum + number)
    }
}

/// Multiplies sizes.
#[must_use]
pub fn product<const N: usize>(sizes: [usize; N]) -> Count {
    sizes.into_iter().fold(Count(1), |product, size| product * size)
}

/// Largest size that a configuration may name. The largest published tables have under 2^20 rows.
pub const LARGEST_SIZE: u64 = 1 << 24;

/// Refuses a size that no model has; the error names its key.
///
/// # Errors
/// If it is above [`LARGEST_SIZE`].
pub fn check_size(key: &str, size: i128) -> Result<(), ShapeError> {
    if size <= i128::from(LARGEST_SIZE) {
        return Ok(());
    }
    let what = format!("`{key}` = {size} is above {LARGEST_SIZE}, which no model reaches");
    Err(ShapeError::new(what, format!("correct `{key}`")))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_size_that_no_model_has_is_refused_by_its_key() {
        assert!(check_size("vocab_size", 1 << 24).is_ok() && check_size("layer", -1).is_ok());
        let error = check_size("hidden_size", i128::from(u64::MAX)).unwrap_err();
        assert!(error.what.contains("`hidden_size` = 18446744073709551615"), "{error}");
    }

    proptest! {
        #[test]
        fn sums_and_products_are_exact_or_stop_at_the_top(a: u64, b: u64, c: u64) {
            let most = u128::from(u64::MAX);
            let wide = (u128::from(a) * u128::from(b)).min(most).saturating_add(u128::from(c)).min(most);
            prop_assert_eq!(u128::from((Count::from(a) * b + c).get()), wide);
            prop_assert_eq!(Count::from(a).less(b).get(), a.saturating_sub(b));
        }
    }
}
