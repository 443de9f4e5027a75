//! The means and standard deviations that pixels between 0 and 1 are normalised with, by channel:
//! `(pixel - mean) / std`.

/// Refuses standard deviations that pixels cannot be divided by. The message continues a sentence
/// that begins with the key.
///
/// # Errors
/// If one is not finite, not above 0, or so small that quotients are infinite.
pub fn check_std(std: [f32; 3]) -> Result<(), String> {
    match std
        .into_iter()
        .find(|&value| !(value.is_finite() && value > 0.0 && (1.0 / value).is_finite()))
    {
        Some(value) => Err(format!("has {value}; a deviation is a finite number above 0")),
        None => Ok(()),
    }
}

/// Refuses means that leave pixels no finite value. The deviations have passed [`check_std`]. The
/// message continues a sentence that begins with the key.
///
/// # Errors
/// If one is not finite, or too large for its deviation.
pub fn check_mean(mean: [f32; 3], std: [f32; 3]) -> Result<(), String> {
    let fits =
        |(mean, std): (f32, f32)| (mean / std).is_finite() && ((1.0 - mean) / std).is_finite();
    match mean.into_iter().zip(std).find(|&pair| !fits(pair)) {
        Some((mean, std)) => {
            Err(format!("has {mean}, which leaves pixels no finite value (divided by {std})"))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_statistics_that_give_numbers_hold() {
        assert_eq!(check_std([0.27, 1.0, 1e-3]), Ok(()));
        for wrong in [0.0, -0.0, -0.5, f32::NAN, f32::INFINITY, 1e-45] {
            let error = check_std([0.5, wrong, 0.5]);
            assert!(
                error.as_ref().is_err_and(|error| error.contains("above 0")),
                "{wrong}: {error:?}"
            );
        }
        assert_eq!(check_mean([0.0, -1.0, 0.5], [0.5; 3]), Ok(()));
        for wrong in [f32::NAN, f32::NEG_INFINITY, 1e38] {
            assert!(check_mean([0.5, 0.5, wrong], [1e-2; 3]).is_err(), "{wrong}");
        }
    }
}
