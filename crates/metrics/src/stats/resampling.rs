//! Bootstrap intervals and permutation tests over samples, with or without clusters.
//!
//! Samples that share an image (or a scene, or a seed) are not independent. Given as one cluster,
//! they are drawn or have their sign flipped together, so that the answer is as uncertain as the
//! number of clusters makes it.

use crate::stats::{Interval, differences, mean};
use std::collections::BTreeMap;
use toolkit_seed::Stream;

/// Coverage of the bootstrap interval.
const LEVEL: f64 = 0.95;

/// Sum and number of the values of each cluster; every value is its own cluster if none are given.
fn sums(values: &[f64], clusters: Option<&[u64]>) -> Vec<(f64, usize)> {
    let Some(clusters) = clusters else {
        return values.iter().map(|&value| (value, 1)).collect();
    };
    assert_eq!(values.len(), clusters.len(), "every value needs the id of its cluster");
    let mut sums: BTreeMap<u64, (f64, usize)> = BTreeMap::new();
    for (&value, &cluster) in values.iter().zip(clusters) {
        let sum = sums.entry(cluster).or_default();
        *sum = (sum.0 + value, sum.1 + 1);
    }
    sums.into_values().collect()
}

/// The value below which a share `at` of the sorted values lie, interpolated linearly. `sorted` is
/// not empty.
fn percentile(sorted: &[f64], at: f64) -> f64 {
    let place = at * (sorted.len() - 1) as f64;
    let below = place.floor();
    let (low, high) = (sorted[below as usize], sorted[place.ceil() as usize]);
    low + (high - low) * (place - below)
}

/// The 95% percentile bootstrap interval of the mean of `values` (Efron 1979), drawing whole
/// clusters if their ids are given. `None` of fewer than two samples (or clusters) or without
/// resamples. The same seed gives the same interval.
///
/// # Panics
/// If `clusters` and `values` differ in length.
#[must_use]
pub fn bootstrap(
    values: &[f64],
    clusters: Option<&[u64]>,
    resamples: usize,
    seed: u64,
) -> Option<Interval> {
    let sums = sums(values, clusters);
    if sums.len() < 2 || resamples == 0 {
        return None;
    }
    let resample = |index: usize| {
        let mut stream = Stream::new(seed, "metrics/bootstrap", index as u64);
        let draw = |(total, count): (f64, usize), _| {
            let (sum, size) = sums[stream.below(sums.len())];
            (total + sum, count + size)
        };
        let (total, count) = (0..sums.len()).fold((0.0, 0), draw);
        total / count as f64
    };
    let mut means: Vec<f64> = (0..resamples).map(resample).collect();
    means.sort_by(f64::total_cmp);
    let tail = (1.0 - LEVEL) / 2.0;
    Some(Interval {
        mean: mean(values)?,
        low: percentile(&means, tail),
        high: percentile(&means, 1.0 - tail),
        n: sums.len(),
    })
}

/// Paired permutation test of the mean of `a - b`: the two-sided p-value under random swaps of the
/// two sides, one swap per cluster if ids are given.
///
/// All swaps are enumerated, and `p` is exact, if there are at most `resamples` of them. Otherwise
/// `resamples` are drawn and `p` is `(1 + as extreme) / (1 + resamples)`, which is never 0 (Phipson
/// and Smyth 2010). Nothing gives 1.
///
/// # Panics
/// If `a`, `b` and `clusters` differ in length.
#[must_use]
pub fn paired_permutation(
    a: &[f64],
    b: &[f64],
    clusters: Option<&[u64]>,
    resamples: usize,
    seed: u64,
) -> f64 {
    let sums: Vec<f64> =
        sums(&differences(a, b), clusters).into_iter().map(|(sum, _)| sum).collect();
    let observed = sums.iter().sum::<f64>().abs();
    // Swaps that only reorder the sum must count as equal to it in spite of rounding.
    let bar = observed - 1e-12 * sums.iter().map(|s| s.abs()).sum::<f64>();
    let swaps = u32::try_from(sums.len())
        .ok()
        .and_then(|n| 1_usize.checked_shl(n))
        .filter(|&swaps| swaps <= resamples);
    if let Some(swaps) = swaps {
        let swapped = |mask: usize| -> f64 {
            sums.iter()
                .enumerate()
                .map(|(bit, sum)| if mask >> bit & 1 == 1 { -sum } else { *sum })
                .sum()
        };
        let extreme = (0..swaps).filter(|&mask| swapped(mask).abs() >= bar).count();
        return extreme as f64 / swaps as f64;
    }
    let draw = |index: usize| -> f64 {
        let mut stream = Stream::new(seed, "metrics/permutation", index as u64);
        let mut bits = 0;
        let flip = |(at, sum): (usize, &f64)| {
            if at % 64 == 0 {
                bits = stream.next_u64();
            }
            if bits >> (at % 64) & 1 == 1 { -sum } else { *sum }
        };
        sums.iter().enumerate().map(flip).sum()
    };
    let extreme = (0..resamples).filter(|&index| draw(index).abs() >= bar).count();
    (1 + extreme) as f64 / (1 + resamples) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normals(n: usize, seed: u64) -> Vec<f64> {
        let mut stream = Stream::new(seed, "test", 0);
        (0..n).map(|_| stream.normal()).collect()
    }

    #[test]
    fn bootstrap_agrees_with_theory() {
        let values = normals(400, 1);
        let found = bootstrap(&values, None, 4000, 7).expect("many values");
        let half = 1.96 * crate::std_dev(&values).expect("many values") / 20.0;
        assert!((found.high - found.mean - half).abs() < 0.1 * half, "{found:?}, {half}");
        assert!((found.mean - found.low - half).abs() < 0.1 * half, "{found:?}, {half}");
        assert_eq!(found, bootstrap(&values, None, 4000, 7).expect("many values"));
        assert_ne!(found, bootstrap(&values, None, 4000, 8).expect("many values"));
    }

    #[test]
    fn clusters_widen_the_interval() {
        // Every value four times: knowing that, the interval must be as wide as without the copies.
        let values = normals(100, 2);
        let copies: Vec<f64> = values.iter().flat_map(|&v| [v; 4]).collect();
        let ids: Vec<u64> = (0..400).map(|i| i / 4).collect();
        let width = |i: Interval| i.high - i.low;
        let plain = width(bootstrap(&values, None, 3000, 3).expect("values"));
        let clustered = bootstrap(&copies, Some(&ids), 3000, 3).expect("values");
        let fooled = width(bootstrap(&copies, None, 3000, 3).expect("values"));
        assert!((width(clustered) / plain - 1.0).abs() < 1e-9, "{clustered:?}, {plain}");
        assert_eq!(clustered.n, 100);
        assert!((fooled / plain - 0.5).abs() < 0.06, "{}", fooled / plain);
    }

    #[test]
    fn too_little_to_resample() {
        assert_eq!(bootstrap(&[1.0], None, 100, 0), None);
        assert_eq!(bootstrap(&[1.0, 2.0], Some(&[5, 5]), 100, 0), None);
        assert_eq!(bootstrap(&[1.0, 2.0], None, 0, 0), None);
        assert_eq!(
            bootstrap(&[3.0, 3.0], None, 10, 0),
            Some(Interval { mean: 3.0, low: 3.0, high: 3.0, n: 2 })
        );
    }

    #[test]
    fn exact_permutation_by_hand() {
        // Of 8 swaps of 1, 2, 3, only the two with one sign reach 6; four of 1, 1, -1 and their
        // like reach 1.
        let zeros = [0.0; 3];
        assert_eq!(paired_permutation(&[1.0, 2.0, 3.0], &zeros, None, 8, 0), 0.25);
        assert_eq!(paired_permutation(&[1.0, 1.0, -1.0], &zeros, None, 8, 0), 1.0);
        // As two clusters of 3 and 3: two of four.
        assert_eq!(paired_permutation(&[1.0, 2.0, 3.0], &zeros, Some(&[1, 1, 2]), 8, 0), 0.5);
        assert_eq!(paired_permutation(&[], &[], None, 8, 0), 1.0);
        assert_eq!(paired_permutation(&zeros, &zeros, None, 8, 0), 1.0);
    }

    #[test]
    fn sampled_permutation_is_near_the_exact_one_and_never_zero() {
        let a: Vec<f64> = normals(12, 4).iter().map(|v| v + 0.5).collect();
        let b = [0.0; 12];
        let exact = paired_permutation(&a, &b, None, 4096, 0);
        let sampled = paired_permutation(&a, &b, None, 4095, 5);
        assert!(exact > 0.001 && (exact - sampled).abs() < 0.03, "{exact}, {sampled}");
        assert_eq!(paired_permutation(&[1.0; 200], &[0.0; 200], None, 99, 0), 0.01);
    }
}
