//! Means, deviations, Student intervals over seeds, and correction for several comparisons.

pub(crate) mod resampling;
pub(crate) mod student;

use crate::stats::student::{t_quantile, t_two_sided};
use serde::{Deserialize, Serialize};

/// A mean with a confidence interval, in the unit of the values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The mean of the values.
    pub mean: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Number of independent values (clusters, if the values were clustered).
    pub n: usize,
}

/// The arithmetic mean; `None` of nothing.
#[must_use]
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The standard deviation with `n - 1` in the denominator; `None` of fewer than two values.
#[must_use]
pub fn std_dev(values: &[f64]) -> Option<f64> {
    let mean = mean(values).filter(|_| values.len() > 1)?;
    let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
    Some((squares / (values.len() - 1) as f64).sqrt())
}

/// Student's confidence interval of the mean, for values over seeds: `level` is the coverage, for
/// example 0.95. `None` of fewer than two values, which say nothing about their spread, or if
/// `level` is not inside `(0, 1)`.
#[must_use]
pub fn t_interval(values: &[f64], level: f64) -> Option<Interval> {
    if !(level > 0.0 && level < 1.0) {
        return None;
    }
    let (mean, deviation, n) = (mean(values)?, std_dev(values)?, values.len());
    let half =
        t_quantile(f64::midpoint(1.0, level), (n - 1) as f64) * deviation / (n as f64).sqrt();
    Some(Interval { mean, low: mean - half, high: mean + half, n })
}

/// The outcome of a paired t-test.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairedT {
    /// The mean of `a - b` with its 95% interval.
    pub difference: Interval,
    /// Two-sided probability of a difference at least this large if there were none.
    pub p: f64,
}

/// Paired t-test of two methods run with the same seeds. `None` of fewer than two pairs.
///
/// Differences that are all the same give `p` 0, or 1 if they are all zero.
///
/// ```
/// let test = toolkit_metrics::paired_t(&[64.0, 62.0, 65.0], &[60.0, 61.0, 62.0]).unwrap();
/// assert!((test.difference.mean - 8.0 / 3.0).abs() < 1e-9);
/// // Three seeds are few: the interval of the difference reaches below zero.
/// assert!(test.difference.low < 0.0 && test.p > 0.05);
/// ```
///
/// # Panics
/// If `a` and `b` differ in length.
#[must_use]
pub fn paired_t(a: &[f64], b: &[f64]) -> Option<PairedT> {
    let differences = differences(a, b);
    let difference = t_interval(&differences, 0.95)?;
    let error = std_dev(&differences)? / (difference.n as f64).sqrt();
    let p = if difference.mean == 0.0 {
        1.0
    } else if error == 0.0 {
        0.0
    } else {
        t_two_sided(difference.mean / error, (difference.n - 1) as f64)
    };
    Some(PairedT { difference, p })
}

/// `a - b`, element by element. Panics if they differ in length: an unpaired value would pair with
/// a wrong one.
pub(crate) fn differences(a: &[f64], b: &[f64]) -> Vec<f64> {
    assert_eq!(a.len(), b.len(), "a paired test needs the same samples on both sides");
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// Corrects p-values for their number (Holm 1979), in the order given. Comparing each with α keeps
/// the probability of any false finding below α.
///
/// ```
/// assert_eq!(toolkit_metrics::holm(&[0.01, 0.04]), [0.02, 0.04]);
/// ```
#[must_use]
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![0.0; p_values.len()];
    let mut largest = 0.0_f64;
    for (rank, &index) in order.iter().enumerate() {
        // Never smaller than the one before, so that the order of the findings is kept.
        largest = largest.max(p_values[index] * (p_values.len() - rank) as f64).min(1.0);
        adjusted[index] = largest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_and_deviation() {
        assert_eq!(mean(&[1.0, 2.0, 6.0]), Some(3.0));
        assert_eq!(std_dev(&[1.0, 2.0, 6.0]), Some(7.0_f64.sqrt()));
        assert_eq!((mean(&[]), std_dev(&[4.0])), (None, None));
    }

    #[test]
    fn interval_of_three_seeds() {
        let found = t_interval(&[1.0, 2.0, 3.0], 0.95).expect("three values");
        let half = 4.302_652_73 / 3.0_f64.sqrt();
        assert!(
            (found.low - (2.0 - half)).abs() < 1e-7 && (found.high - (2.0 + half)).abs() < 1e-7,
            "{found:?}"
        );
        assert_eq!((t_interval(&[1.0], 0.95), t_interval(&[], 0.95)), (None, None));
        assert_eq!((t_interval(&[1.0, 2.0], 1.0), t_interval(&[1.0, 2.0], f64::NAN)), (None, None));
    }

    #[test]
    fn paired_test_by_hand() {
        // Differences 1, 2, 3: t = 2 / (1 / sqrt 3) = 3.4641 with 2 degrees of freedom, p = 1 - t /
        // sqrt(2 + t²).
        let found = paired_t(&[2.0, 4.0, 6.0], &[1.0, 2.0, 3.0]).expect("three pairs");
        let t = 12.0_f64.sqrt();
        assert!((found.p - (1.0 - t / 14.0_f64.sqrt())).abs() < 1e-12, "{}", found.p);
        assert_eq!(found.difference.mean, 2.0);
        assert_eq!(paired_t(&[1.0, 2.0], &[1.0, 2.0]).expect("two pairs").p, 1.0);
        assert_eq!(paired_t(&[1.0, 2.0], &[0.0, 1.0]).expect("two pairs").p, 0.0);
        assert!(paired_t(&[1.0], &[2.0]).is_none());
    }

    #[test]
    fn holm_by_hand() {
        let found = holm(&[0.04, 0.01, 0.03, 0.5]);
        for (found, expected) in found.iter().zip([0.09, 0.04, 0.09, 0.5]) {
            assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
        }
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
        assert!(holm(&[]).is_empty());
    }
}
