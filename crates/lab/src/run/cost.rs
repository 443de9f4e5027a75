//! Time and memory that a run took.

use crate::LabError;
use crate::files::{read_json, write_json_pretty};
use crate::run::folder::COST_FILE;
use serde::{Deserialize, Serialize};
use std::path::Path;
use toolkit_system::memory;

/// Content of `cost.json`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct MeasuredCost {
    /// Seconds of all attempts that ended well.
    pub wall_seconds: f64,
    /// Seconds of processor time.
    pub cpu_seconds: f64,
    /// Largest resident memory in bytes.
    pub peak_rss_bytes: u64,
}

/// Seconds of a call that computes something. A shorter one found everything done and measures
/// nothing.
const SHORTEST: f64 = 2.0;

/// Ticks of a second in `/proc/self/stat`.
const TICKS: f64 = 100.0;

/// Adds `wall` seconds and the processor time of this process to the costs of earlier attempts.
pub(crate) fn add(run: &Path, wall: f64) -> Result<(), LabError> {
    let mut cost = load(run);
    if wall > SHORTEST || cost.wall_seconds == 0.0 {
        let (cpu, peak) = process_usage();
        cost.wall_seconds += wall;
        cost.cpu_seconds += cpu;
        cost.peak_rss_bytes = cost.peak_rss_bytes.max(peak);
    }
    write_json_pretty(&run.join(COST_FILE), &cost)
}

/// Reads the costs of a run; zeros where there are none.
pub(crate) fn load(run: &Path) -> MeasuredCost {
    read_json(&run.join(COST_FILE)).unwrap_or_default()
}

/// Returns processor seconds and peak memory in bytes of this process, from `/proc`; zeros where
/// there is none.
pub(crate) fn process_usage() -> (f64, u64) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name of the program, in parentheses, may hold spaces. After it, user and system time are
    // the 12th and 13th fields.
    let after_name = stat.rsplit(')').next().unwrap_or("");
    let fields: Vec<u64> =
        after_name.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
    let ticks = fields.get(11).copied().unwrap_or(0) + fields.get(12).copied().unwrap_or(0);
    (ticks as f64 / TICKS, memory::peak_resident().unwrap_or(0))
}
