//! Memory of this process, and the speed of reading memory.

use rayon::prelude::*;
use std::hint::black_box;
use std::time::Instant;

/// Returns the largest resident memory since the start or [`forget_peak`], in bytes; 0 where the system does
/// not tell.
pub(super) fn peak() -> u64 {
    toolkit_system::memory::peak_resident().unwrap_or(0)
}

/// Starts the peak anew. Where the system cannot (no Linux), it stays that of the whole process.
pub(super) fn forget_peak() {
    // The peak is a report of how it went; nothing depends on it.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// Bytes a second that the threads of the current pool read from memory together: the best of five
/// passes over 256 MB.
pub(super) fn bandwidth() -> f64 {
    let buffer = vec![1_u64; 1 << 25];
    let pass = || {
        let began = Instant::now();
        let sum: u64 = (buffer.par_chunks(1 << 16))
            .map(|chunk| {
                let mut lanes = [0_u64; 16];
                for eight in chunk.as_chunks::<16>().0 {
                    for (lane, value) in lanes.iter_mut().zip(eight) {
                        *lane = lane.wrapping_add(*value);
                    }
                }
                lanes.iter().fold(0_u64, |sum, lane| sum.wrapping_add(*lane))
            })
            .reduce(|| 0, u64::wrapping_add);
        black_box(sum);
        (buffer.len() * size_of::<u64>()) as f64 / began.elapsed().as_secs_f64()
    };
    (0..5).map(|_| pass()).fold(0.0, f64::max)
}
