//! Random tensors, and comparison of values and gradients of two ways to compute the same thing.
#![allow(dead_code, reason = "each test program uses a part")]

use burn::tensor::{Device, Tensor, TensorData};

/// The plain and the recording CPU device.
pub fn devices() -> (Device, Device) {
    (Device::flex(), Device::flex().autodiff())
}

/// Uniform values in `[-scale, scale)`, the same for the same seed.
pub fn random<const D: usize>(
    shape: [usize; D],
    seed: u64,
    scale: f32,
    device: &Device,
) -> Tensor<D> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678_9abc_def1;
    let count = shape.iter().product();
    let values: Vec<f32> = (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            ((state >> 40) as f32 / (1u64 << 23) as f32 - 1.0) * scale
        })
        .collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

pub fn values<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.into_data().try_to_vec().unwrap()
}

/// Equal up to `tolerance`, relative where values are larger than one; NaN equals NaN.
#[track_caller]
pub fn close(got: &[f32], want: &[f32], tolerance: f32) {
    assert_eq!(got.len(), want.len());
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        let same = (g.is_nan() && w.is_nan()) || (g - w).abs() <= tolerance * w.abs().max(1.0);
        assert!(same, "element {i} of {}: {g} for {w}", got.len());
    }
}

/// Value and gradients of `sum(f(inputs) * weights)` with fixed weights.
pub fn with_gradients<const D: usize, const E: usize, const N: usize>(
    inputs: [Tensor<D>; N],
    f: impl Fn([Tensor<D>; N]) -> Tensor<E>,
) -> (Vec<f32>, [Vec<f32>; N]) {
    let inputs = inputs.map(|x| x.detach().require_grad());
    let y = f(inputs.clone());
    let weights = random(y.dims(), 77, 1.0, &y.device());
    let mut gradients = (y.clone() * weights).sum().backward();
    let parts = inputs.map(|x| values(x.grad_remove(&mut gradients).unwrap()));
    (values(y), parts)
}

/// Checks one gradient element by element against central differences.
#[track_caller]
pub fn finite_differences<const D: usize, const E: usize>(
    x: Tensor<D>,
    f: impl Fn(Tensor<D>) -> Tensor<E>,
) {
    let (_, [gradient]) = with_gradients([x.clone()], |[x]| f(x));
    let shape = x.dims();
    let at = values(x.clone());
    let loss = |v: Vec<f32>| {
        let y = f(Tensor::from_data(TensorData::new(v, shape), &x.device()));
        let weights = random(y.dims(), 77, 1.0, &y.device());
        values(y)
            .into_iter()
            .zip(values(weights))
            .map(|(a, b)| f64::from(a) * f64::from(b))
            .sum::<f64>()
    };
    let step = 0.02_f32;
    for (i, &slope) in gradient.iter().enumerate() {
        let (mut up, mut down) = (at.clone(), at.clone());
        up[i] += step;
        down[i] -= step;
        let want = (loss(up) - loss(down)) / (2.0 * f64::from(step));
        assert!((f64::from(slope) - want).abs() < 3e-3, "element {i}: {slope} for {want}");
    }
}

/// Runs in a rayon pool of so many threads.
pub fn in_pool<T: Send>(threads: usize, f: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(f)
}
