//! Peak speed of a device, measured.

use burn::tensor::{Device, Tensor};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Peaks of this process: description of device and threads, operations a second.
static MEASURED: Mutex<Vec<(String, f64)>> = Mutex::new(Vec::new());

/// Rows of the matrices that a CPU multiplies, and other devices.
const ROWS: [usize; 2] = [1024, 4096];

/// Seconds that a timed group of products takes at least, unless [`MOST_PRODUCTS`] are faster.
const GROUP_SECONDS: f64 = 0.02;

/// Most products of a group.
const MOST_PRODUCTS: f64 = 16.0;

/// Returns the floating-point operations a second of a large product of f32 matrices on `device`,
/// with the threads of the current pool. Measured once in a process, in about 0.1 s.
///
/// It is the fastest of three groups of products. A device's data sheet may promise more, and a
/// training in half precision may exceed it.
pub(super) fn flops_per_second(device: &Device) -> f64 {
    let key = format!("{device:?} {}", rayon::current_num_threads());
    let mut measured = MEASURED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, peak)) = measured.iter().find(|(known, _)| *known == key) {
        return *peak;
    }
    let peak = measure(device, ROWS[usize::from(*device != Device::flex())]);
    measured.push((key, peak));
    peak
}

fn measure(device: &Device, rows: usize) -> f64 {
    // Each product of these is a matrix of ones, however often it is multiplied.
    let share = Tensor::<2>::full([rows, rows], 1.0 / rows as f64, device);
    let ones = Tensor::<2>::ones([rows, rows], device);
    let seconds = |products: usize| {
        let began = Instant::now();
        let last = (0..products).fold(ones.clone(), |x, _| share.clone().matmul(x));
        // Reading a number waits for the device.
        let _ = last.narrow(0, 0, 1).narrow(1, 0, 1).into_data();
        began.elapsed().as_secs_f64().max(1e-9)
    };
    // The first product may choose its kernel.
    let _ = seconds(1);
    let products = (GROUP_SECONDS / seconds(1)).clamp(1.0, MOST_PRODUCTS) as usize;
    let fastest = (0..3).map(|_| seconds(products)).fold(f64::INFINITY, f64::min);
    2.0 * (rows as f64).powi(3) * products as f64 / fastest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_is_measured_once() {
        let first = flops_per_second(&Device::flex());
        assert!((1e8..1e15).contains(&first), "{first}");
        assert_eq!(flops_per_second(&Device::flex()), first);
    }
}
