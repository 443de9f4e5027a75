//! Devices that a plan can be priced on, from the public data sheets of their makers.
//!
//! Peaks are those of dense matrices (data sheets often print twice as much, "with sparsity") and
//! bytes those of the data sheet. Nothing here was measured.

use serde::Serialize;
use toolkit_registry::spanned::suggest;
use toolkit_system::problem::Problem;

/// Data sheet of a device.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct DeviceSheet {
    /// Name for `--on`.
    pub name: &'static str,
    /// Name of the maker.
    pub title: &'static str,
    /// Peak operations a second in single precision, without tensor cores.
    pub f32: f64,
    /// Peak of single precision rounded to 10 bits of mantissa; none where there is none.
    pub tf32: Option<f64>,
    /// Peak in 16-bit floats: `bf16`, or `f16` on devices before it.
    pub half: f64,
    /// `bf16`, or `f16` where there is no other.
    pub half_name: &'static str,
    /// Bytes of memory.
    pub bytes: u64,
    /// Bytes a second from memory.
    pub bandwidth: f64,
}

/// Operations of a "TFLOPS".
const TERA: f64 = 1e12;

/// Bytes of a "GB".
const GIGA: u64 = 1_000_000_000;

/// Numbers of a data sheet: peaks in TFLOP/s, GB of memory, GB/s from it.
const fn sheet(
    [name, title, half_name]: [&'static str; 3],
    f32: f64,
    tf32: Option<f64>,
    half: f64,
    [memory, bandwidth]: [u64; 2],
) -> DeviceSheet {
    let tf32 = match tf32 {
        Some(peak) => Some(peak * TERA),
        None => None,
    };
    DeviceSheet {
        name,
        title,
        f32: f32 * TERA,
        tf32,
        half: half * TERA,
        half_name,
        bytes: memory * GIGA,
        bandwidth: (bandwidth * GIGA) as f64,
    }
}

/// The devices, oldest first.
pub const DEVICES: [DeviceSheet; 12] = [
    sheet(["v100-16", "NVIDIA V100 SXM2 16 GB", "f16"], 15.7, None, 125.0, [16, 900]),
    sheet(["v100-32", "NVIDIA V100 SXM2 32 GB", "f16"], 15.7, None, 125.0, [32, 900]),
    sheet(["t4", "NVIDIA T4", "f16"], 8.1, None, 65.0, [16, 320]),
    sheet(["a100-40", "NVIDIA A100 SXM 40 GB", "bf16"], 19.5, Some(156.0), 312.0, [40, 1555]),
    sheet(["a100-80", "NVIDIA A100 SXM 80 GB", "bf16"], 19.5, Some(156.0), 312.0, [80, 2039]),
    sheet(["a10", "NVIDIA A10", "bf16"], 31.2, Some(62.5), 125.0, [24, 600]),
    sheet(["rtx-3090", "NVIDIA GeForce RTX 3090", "bf16"], 35.6, Some(35.6), 71.0, [24, 936]),
    sheet(["rtx-4090", "NVIDIA GeForce RTX 4090", "bf16"], 82.6, Some(82.6), 165.2, [24, 1008]),
    sheet(["l4", "NVIDIA L4", "bf16"], 30.3, Some(60.0), 121.0, [24, 300]),
    sheet(["l40s", "NVIDIA L40S", "bf16"], 91.6, Some(183.0), 362.0, [48, 864]),
    sheet(["h100", "NVIDIA H100 SXM 80 GB", "bf16"], 67.0, Some(494.7), 989.4, [80, 3350]),
    sheet(["h200", "NVIDIA H200 SXM 141 GB", "bf16"], 67.0, Some(494.7), 989.4, [141, 4800]),
];

/// Finds a device by name.
///
/// # Errors
/// If there is none, with the nearest name.
pub fn device(name: &str) -> Result<&'static DeviceSheet, Problem> {
    let found = DEVICES.iter().find(|device| device.name == name);
    found.ok_or_else(|| {
        let known: Vec<&str> = DEVICES.iter().map(|device| device.name).collect();
        Problem::new(format_args!("there is no device `{name}`")).hint(suggest(name, &known))
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::{DEVICES, device};

    #[test]
    fn devices_are_found_by_name_and_their_peaks_are_ordered() {
        assert_eq!(device("h100").unwrap().bytes, 80_000_000_000);
        assert!(device("h100x").unwrap_err().to_string().contains("did you mean `h100`?"));
        for (at, one) in DEVICES.iter().enumerate() {
            assert!(DEVICES[..at].iter().all(|other| other.name != one.name), "{}", one.name);
            let tf32 = one.tf32.unwrap_or(one.f32);
            assert!(one.f32 <= tf32 && tf32 < one.half, "{}", one.name);
            assert!(one.bytes > 10_000_000_000 && one.bandwidth > 1e11, "{}", one.name);
        }
    }
}
