//! The price of a plan on a named device: hours and memory, by arithmetic alone.

use crate::plan::devices::DeviceSheet;
use crate::plan::estimate::Estimate;
use serde::Serialize;

/// Share of a device's peak that a training is assumed to reach.
///
/// Nothing of this toolkit was measured on a GPU. The paper says under six days for stage 1 with
/// ViT-g and under three for stage 2 with Flan-T5-XXL, on sixteen A100 of 40 GB. By the operations
/// that are counted here these are at least 12 % and 24 % of their 16-bit peak.
pub const ASSUMED_SHARE: f64 = 0.3;

/// Price of a plan on a device.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Price {
    /// Data sheet.
    pub device: DeviceSheet,
    /// Number of such devices, among which the work is divided evenly.
    pub devices: u64,
    /// Share of the peak that is assumed.
    pub assumed_share: f64,
    /// Operations of all trainings.
    pub flops: f64,
    /// By precision: the one that the arithmetic is done in.
    pub precisions: Vec<PricedPrecision>,
}

/// Price in one precision.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PricedPrecision {
    /// `f32`, `tf32`, `bf16` or `f16`.
    pub name: &'static str,
    /// Peak operations a second of one device.
    pub peak_flops: f64,
    /// Hours at the assumed share of the peak.
    pub hours: f64,
    /// Bytes of the largest job on one device.
    pub bytes: u64,
    /// `true` if the device has so many bytes.
    pub fits: bool,
}

/// Prices a plan.
#[must_use]
pub fn price(estimate: &Estimate, device: &DeviceSheet, devices: u64, share: f64) -> Price {
    let priced = |name, peak_flops: f64, bytes| PricedPrecision {
        name,
        peak_flops,
        hours: estimate.flops / (peak_flops * share * devices as f64) / 3600.0,
        bytes,
        fits: bytes <= device.bytes,
    };
    let tf32 = device.tf32.map(|peak| priced("tf32", peak, estimate.job_bytes));
    let f32 = priced("f32", device.f32, estimate.job_bytes);
    let half = priced(device.half_name, device.half, estimate.half_job_bytes);
    Price {
        device: *device,
        devices,
        assumed_share: share,
        flops: estimate.flops,
        precisions: [f32].into_iter().chain(tf32).chain([half]).collect(),
    }
}
