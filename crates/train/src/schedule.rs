//! Learning rate: linear warm-up, then a cosine, per step or per epoch.

use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

/// Learning-rate schedule.
///
/// The default is the paper's (BLIP-2, section 4.1): a cosine that changes with every step. With
/// [`ScheduleKind::LavisEpoch`] it is that of LAVIS (`lavis/common/optims.py`).
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Form of the schedule. Ids of runs are hashes of this, so a default is not written.
    #[serde(default, skip_serializing_if = "ScheduleKind::is_cosine")]
    pub kind: ScheduleKind,
    /// Highest learning rate.
    pub peak: f64,
    /// Learning rate at the last step.
    #[serde(default)]
    pub floor: f64,
    /// Steps of linear warm-up.
    #[serde(default)]
    pub warmup: u64,
    /// Learning rate at the first step (LAVIS: `warmup_lr`); with a cosine per step always 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub warmup_start: f64,
    /// Steps of an epoch of [`ScheduleKind::LavisEpoch`]. The steps of the training over this,
    /// rounded up, are its epochs.
    #[serde(default, skip_serializing_if = "is_none")]
    pub steps_per_epoch: u64,
}

/// Form of a learning-rate schedule.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleKind {
    /// Warm-up from 0, then a cosine that changes with every step.
    #[default]
    Cosine,
    /// LAVIS's: a cosine that changes with every epoch. The warm-up is that of the first epoch
    /// alone; a longer one is cut, and the second epoch starts on the cosine all the same.
    LavisEpoch,
}

impl ScheduleKind {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
    fn is_cosine(&self) -> bool {
        *self == Self::Cosine
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(rate: &f64) -> bool {
    *rate == 0.0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_none(steps: &u64) -> bool {
    *steps == 0
}

impl Schedule {
    /// Creates a cosine per step.
    #[must_use]
    pub fn cosine(peak: f64, floor: f64, warmup: u64) -> Self {
        let kind = ScheduleKind::Cosine;
        Self { kind, peak, floor, warmup, warmup_start: 0.0, steps_per_epoch: 0 }
    }

    /// Returns the rate of step `step` (from 0) of `total`.
    #[must_use]
    pub fn rate(&self, step: u64, total: u64) -> f64 {
        match self.kind {
            ScheduleKind::Cosine => self.rate_per_step(step, total),
            ScheduleKind::LavisEpoch => self.rate_per_epoch(step, total),
        }
    }

    fn rate_per_step(&self, step: u64, total: u64) -> f64 {
        if step < self.warmup {
            return self.peak * (step + 1) as f64 / self.warmup as f64;
        }
        let done = (step - self.warmup) as f64 / total.saturating_sub(self.warmup).max(1) as f64;
        self.floor + 0.5 * (self.peak - self.floor) * (1.0 + libm::cos(PI * done.min(1.0)))
    }

    /// Follows the arithmetic of LAVIS to the bit.
    fn rate_per_epoch(&self, step: u64, total: u64) -> f64 {
        let length = self.steps_per_epoch.max(1);
        let (epoch, epochs) = (step / length, total.div_ceil(length).max(1));
        if epoch == 0 {
            let climbed = (self.peak - self.warmup_start) * step as f64;
            return self.peak.min(self.warmup_start + climbed / self.warmup.max(1) as f64);
        }
        let fallen = PI * epoch as f64 / epochs as f64;
        (self.peak - self.floor) * 0.5 * (1.0 + libm::cos(fallen)) + self.floor
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn warms_up_then_falls_to_the_floor() {
        let s = Schedule::cosine(1.0, 0.1, 4);
        let rates: Vec<f64> = (0..=104).map(|t| s.rate(t, 104)).collect();
        assert_eq!(&rates[..5], &[0.25, 0.5, 0.75, 1.0, 1.0]);
        assert!(rates[4..].windows(2).all(|w| w[1] <= w[0]));
        assert!((rates[54] - 0.55).abs() < 1e-12 && (rates[104] - 0.1).abs() < 1e-12);
    }

    #[test]
    fn epochs_have_the_rates_of_lavis() {
        let cases = include_str!("../../../tests/fixtures/lavis_schedule.json");
        let cases: Vec<serde_json::Value> = serde_json::from_str(cases).unwrap();
        let mut compared = 0;
        for case in &cases {
            let number = |key: &str| case[key].as_f64().unwrap();
            let count = |key: &str| case[key].as_u64().unwrap();
            let schedule = Schedule {
                kind: ScheduleKind::LavisEpoch,
                peak: number("peak"),
                floor: number("floor"),
                warmup: count("warmup"),
                warmup_start: number("warmup_start"),
                steps_per_epoch: count("steps_per_epoch"),
            };
            let total = count("epochs") * schedule.steps_per_epoch;
            for pair in case["rates"].as_array().unwrap() {
                let (step, rate) = (pair[0].as_u64().unwrap(), pair[1].as_f64().unwrap());
                let ours = schedule.rate(step, total);
                // The cosine of another C library may differ in the last bit.
                assert!((ours - rate).abs() <= 1e-15 * rate, "step {step}: {ours} != {rate}");
                compared += 1;
            }
        }
        assert!(compared > 150, "{compared}");
    }

    #[test]
    fn a_cosine_is_written_as_before() {
        let text = r#"{"peak":0.002,"floor":5e-5,"warmup":50}"#;
        let read: Schedule = serde_json::from_str(text).unwrap();
        assert_eq!(read, Schedule::cosine(0.002, 5e-5, 50));
        let written = serde_json::to_value(&read).unwrap().to_string();
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(written, value.to_string());
    }
}
