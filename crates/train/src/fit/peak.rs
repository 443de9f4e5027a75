//! Peak speed of a device, measured.

use burn::tensor::{Device, Tensor};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Peak of a device.
struct Peak {
    /// Description of device and threads.
    of: String,
    /// Operations a second.
    flops: f64,
    at: Instant,
}

/// Peaks of this process.
static MEASURED: Mutex<Vec<Peak>> = Mutex::new(Vec::new());

/// Time after which a CPU is measured again, in about 0.03 s: other programs may have been busy.
const AGAIN: Duration = Duration::from_secs(30);

/// Rows of the matrices that a CPU multiplies, and other devices.
const ROWS: [usize; 2] = [1024, 4096];

/// Seconds that a timed group of products takes at least, unless [`MOST_PRODUCTS`] are faster.
const GROUP_SECONDS: f64 = 0.02;

/// Most products of a group.
const MOST_PRODUCTS: f64 = 16.0;

/// Returns the floating-point operations a second of a large product of f32 matrices on `device`,
/// with the threads of the current pool. The first call of a process takes about 0.1 s.
///
/// It is the fastest of all groups of products so far. A device's data sheet may promise more, and
/// a training in half precision may exceed it.
pub(super) fn flops_per_second(device: &Device) -> f64 {
    let key = format!("{device:?} {}", rayon::current_num_threads());
    let mut measured = MEASURED.lock().unwrap_or_else(PoisonError::into_inner);
    let cpu = *device == Device::flex();
    if let Some(peak) = measured.iter_mut().find(|peak| peak.of == key) {
        // A device of its own is not disturbed, and its memory may be full by now.
        if cpu && peak.at.elapsed() >= AGAIN {
            peak.flops = peak.flops.max(measure(device, ROWS[0], 1));
            peak.at = Instant::now();
        }
        return peak.flops;
    }
    let flops = measure(device, ROWS[usize::from(!cpu)], 3);
    measured.push(Peak { of: key, flops, at: Instant::now() });
    flops
}

fn measure(device: &Device, rows: usize, groups: usize) -> f64 {
    // Each product of these is a matrix of ones, however often it is multiplied.
    let share = Tensor::<2>::full([rows, rows], 1.0 / rows as f64, device);
    let ones = Tensor::<2>::ones([rows, rows], device);
    let seconds = |products: usize| {
        let began = Instant::now();
        let last = (0..products)
            .fold(ones.clone(), |x, _| toolkit_kernels::linear(share.clone(), x, None));
        // Reading a number waits for the device.
        let _ = last.narrow(0, 0, 1).narrow(1, 0, 1).into_data();
        began.elapsed().as_secs_f64().max(1e-9)
    };
    // The first product may choose its kernel.
    let _ = seconds(1);
    let products = (GROUP_SECONDS / seconds(1)).clamp(1.0, MOST_PRODUCTS) as usize;
    let fastest = (0..groups).map(|_| seconds(products)).fold(f64::INFINITY, f64::min);
    2.0 * (rows as f64).powi(3) * products as f64 / fastest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_is_measured_once_in_a_while() {
        let first = flops_per_second(&Device::flex());
        assert!((1e8..1e15).contains(&first), "{first}");
        assert_eq!(flops_per_second(&Device::flex()), first);
    }
}
