//! Measured speed of a step: the lines of `timing.jsonl`.

use super::StepLoss;
use super::peak::flops_per_second;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use toolkit_system::memory;

/// Floating-point operations of a step; a multiply and an add are two. Zero where unknown.
///
/// They are those of the model: passes that are computed again to save memory do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StepFlops {
    /// Operations for each image of the step.
    pub per_image: f64,
    /// Operations for each text token that the step trains on.
    pub per_token: f64,
}

impl StepFlops {
    /// Returns the operations of a step of `images` images and `tokens` text tokens.
    #[must_use]
    pub fn of(&self, images: usize, tokens: usize) -> f64 {
        self.per_image * images as f64 + self.per_token * tokens as f64
    }
}

/// A line of `timing.jsonl`. Older versions wrote `step` and `seconds` alone.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
pub struct TimingLine {
    /// Step, from 0.
    pub step: u64,
    /// Seconds of the step, waiting included; evaluation and checkpoints are not.
    pub seconds: f64,
    /// Seconds of them in which the step waited for data.
    #[serde(default)]
    pub waited: f64,
    /// Images a second; nothing in a training on text alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images_per_second: Option<f64>,
    /// Text tokens a second, padding left out; nothing in a training without text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_per_second: Option<f64>,
    /// Model FLOP utilisation: operations a second over those of a large matrix product on the same
    /// device. Nothing where the operations of a step are unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mfu: Option<f64>,
    /// Resident bytes of the process, which other jobs share; nothing where the system does not
    /// tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Bytes that the allocator of the device holds; nothing for the CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_memory: Option<u64>,
}

/// Amounts of a step.
pub(super) struct Amounts {
    images: usize,
    tokens: usize,
    waited: Duration,
}

impl Amounts {
    pub(super) fn of(found: &StepLoss) -> Self {
        Self { images: found.images, tokens: found.tokens, waited: found.waited }
    }
}

/// Measurement of the steps of a training.
pub(super) struct Meter {
    flops: StepFlops,
    device: Device,
    /// Operations a second of the device; measured only if those of a step are known.
    peak: Option<f64>,
}

impl Meter {
    pub(super) fn new(flops: StepFlops, device: Device) -> Self {
        let device = device.without_autodiff();
        let peak = (flops.of(1, 1) > 0.0).then(|| flops_per_second(&device));
        Self { flops, device, peak }
    }

    /// Takes the peak of the device if it was found to be higher.
    pub(super) fn refresh(&mut self) {
        self.peak = self.peak.map(|peak| peak.max(flops_per_second(&self.device)));
    }

    /// Returns the line of a step that took `took`.
    pub(super) fn line(&self, step: u64, amounts: &Amounts, took: Duration) -> TimingLine {
        let seconds = took.as_secs_f64();
        let rate = |count: usize| (count > 0).then(|| rounded(count as f64 / seconds.max(1e-9)));
        let flops = self.flops.of(amounts.images, amounts.tokens);
        let share = |peak: f64| rounded(flops / seconds.max(1e-9) / peak);
        TimingLine {
            step,
            seconds: rounded(seconds),
            waited: rounded(amounts.waited.as_secs_f64()),
            images_per_second: rate(amounts.images),
            tokens_per_second: rate(amounts.tokens),
            mfu: self.peak.map(share),
            memory: memory::resident(),
            device_memory: self.device.memory_pool_usage().map(|usage| usage.bytes_reserved),
        }
    }
}

/// Rounds to four decimals, which is what a clock is good for.
fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_follow_from_amounts_and_time() {
        let flops = StepFlops { per_image: 3e6, per_token: 1e6 };
        let meter = Meter { flops, device: Device::flex(), peak: Some(1e8) };
        let amounts = Amounts { images: 4, tokens: 8, waited: Duration::from_millis(125) };
        let line = meter.line(7, &amounts, Duration::from_millis(500));
        assert_eq!((line.step, line.seconds, line.waited), (7, 0.5, 0.125));
        assert_eq!((line.images_per_second, line.tokens_per_second), (Some(8.0), Some(16.0)));
        assert_eq!(line.mfu, Some(0.4), "20 MFLOP in half a second, of 100 MFLOP/s");
        assert_eq!(line.device_memory, None);
        assert!(!cfg!(target_os = "linux") || line.memory > Some(1 << 20));
        let text = Amounts { images: 0, ..amounts };
        let unknown = Meter { flops: StepFlops::default(), peak: None, ..meter };
        let line = unknown.line(0, &text, Duration::from_millis(500));
        assert_eq!((line.images_per_second, line.mfu), (None, None));
    }

    #[test]
    fn lines_of_older_versions_are_read() -> Result<(), serde_json::Error> {
        let line: TimingLine = serde_json::from_str(r#"{"step":3,"seconds":0.2500}"#)?;
        assert_eq!(line, TimingLine { step: 3, seconds: 0.25, ..TimingLine::default() });
        Ok(())
    }
}
