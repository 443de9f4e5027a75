//! Learning rate: linear warm-up, then a cosine, per step.

use serde::{Deserialize, Serialize};

/// Learning-rate schedule per step, as the paper describes it (BLIP-2, section 4.1).
///
/// LAVIS differs: its cosine changes once an epoch, and its warm-up ends with the first epoch.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Highest learning rate.
    pub peak: f64,
    /// Learning rate at the last step.
    #[serde(default)]
    pub floor: f64,
    /// Steps of linear warm-up from 0.
    #[serde(default)]
    pub warmup: u64,
}

impl Schedule {
    /// Returns the rate of step `step` (from 0) of `total`.
    #[must_use]
    pub fn rate(&self, step: u64, total: u64) -> f64 {
        if step < self.warmup {
            return self.peak * (step + 1) as f64 / self.warmup as f64;
        }
        let done = (step - self.warmup) as f64 / total.saturating_sub(self.warmup).max(1) as f64;
        self.floor
            + 0.5 * (self.peak - self.floor) * (1.0 + (std::f64::consts::PI * done.min(1.0)).cos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warms_up_then_falls_to_the_floor() {
        let s = Schedule { peak: 1.0, floor: 0.1, warmup: 4 };
        let rates: Vec<f64> = (0..=104).map(|t| s.rate(t, 104)).collect();
        assert_eq!(&rates[..5], &[0.25, 0.5, 0.75, 1.0, 1.0]);
        assert!(rates[4..].windows(2).all(|w| w[1] <= w[0]));
        assert!((rates[54] - 0.55).abs() < 1e-12 && (rates[104] - 0.1).abs() < 1e-12);
    }
}
