//! The most pixels that a picture may have.
//!
//! A file of a few bytes can claim gigabytes. So a header is compared with the limit before memory
//! is asked for.

use super::refusal::Refusal;
use crate::DataError;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The environment variable with the limit, read once.
const VARIABLE: &str = "TOOLKIT_MOST_PIXELS";
/// The default limit. Pillow refuses more than 179 million.
const DEFAULT: u64 = 200_000_000;
/// The limit that a program set; 0 while it set none.
static SET: AtomicU64 = AtomicU64::new(0);

/// Reads the limit of the environment, if there is one.
fn of_environment() -> &'static Result<u64, String> {
    static READ: OnceLock<Result<u64, String>> = OnceLock::new();
    READ.get_or_init(|| match std::env::var(VARIABLE) {
        Err(std::env::VarError::NotPresent) => Ok(DEFAULT),
        Ok(text) if text.is_empty() => Ok(DEFAULT),
        Err(_) => Err("not Unicode".to_owned()),
        Ok(text) => number(&text).ok_or(text),
    })
}

/// Reads a limit: a whole number above 0, with underscores where one likes.
fn number(text: &str) -> Option<u64> {
    text.trim().replace('_', "").parse().ok().filter(|&most| most > 0)
}

/// Returns the most pixels that a picture may have: the value of [`set_most_pixels`], or the
/// environment variable `TOOLKIT_MOST_PIXELS`, or 200 million.
pub fn most_pixels() -> u64 {
    limit().unwrap_or(DEFAULT)
}

/// Checks the environment variable of the limit, so that a program can refuse a wrong one at its
/// start.
///
/// # Errors
/// If it is no whole number above 0.
pub fn check_most_pixels() -> Result<(), DataError> {
    limit()
        .map(drop)
        .map_err(|refusal| DataError::new(refusal.reason, "set it to 200000000, or unset it"))
}

/// Sets the most pixels that a picture may have, for the whole process. With 0, the environment
/// decides again.
pub fn set_most_pixels(most: u64) {
    SET.store(most, Ordering::Relaxed);
}

/// Returns the limit of [`most_pixels`]. A value of the environment that is no number is an error.
pub(super) fn limit() -> Result<u64, Refusal> {
    match SET.load(Ordering::Relaxed) {
        0 => of_environment().clone().map_err(|text| {
            Refusal::new(format!("{VARIABLE} is no number of pixels: {text:?}"))
                .hint("set it to 200000000, or unset it")
        }),
        most => Ok(most),
    }
}

/// Refuses a picture of more than `most` pixels, and one without any.
pub(super) fn check(width: u32, height: u32, most: u64) -> Result<(), Refusal> {
    match u64::from(width) * u64::from(height) {
        0 => Err("a side is 0 pixels long".into()),
        pixels if pixels <= most => Ok(()),
        pixels => {
            let refusal = Refusal::new(format!(
                "{width} x {height} pixels are more than the limit of {most}"
            ));
            // Only the limit of the process can be raised; data sets may have narrower ones of
            // their own.
            Err(match limit().is_ok_and(|limit| limit == most) {
                true if SET.load(Ordering::Relaxed) > 0 => refusal
                    .hint(format!("`--most-pixels {pixels}` reads it; or scale the picture down")),
                true => refusal
                    .hint(format!("set {VARIABLE}={pixels} to read it, or scale the picture down")),
                false => refusal,
            })
        }
    }
}

/// Refuses a file whose `compressed` compressed bytes cannot unpack to the `needed` bytes, at most
/// `times` as many.
pub(super) fn can_hold(compressed: u64, times: u64, needed: u64) -> Result<(), String> {
    // A few bytes more, for what headers and ends of streams hold.
    match (compressed + 8).saturating_mul(times) >= needed {
        true => Ok(()),
        false => Err(format!(
            "the file is cut off: {compressed} bytes of pixels cannot unpack to {needed}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_whole_numbers_above_zero() {
        assert_eq!(number(" 1_000_000 "), Some(1_000_000));
        for bad in ["", "0", "-1", "1e6", "many", "99999999999999999999"] {
            assert_eq!(number(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_largest_sides_do_not_overflow() {
        assert!(check(u32::MAX, u32::MAX, 200_000_000).is_err());
        assert!(check(20_000, 10_000, 200_000_000).is_ok());
        assert!(check(20_000, 10_001, 200_000_000).is_err());
        assert!(check(0, 5, 200_000_000).is_err());
    }
}
