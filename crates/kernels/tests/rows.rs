//! GELU, softmax and the two normalisations against burn's primitives and finite differences.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use burn::tensor::{Device, Tensor, activation};
use common::{close, devices, finite_differences, in_pool, random, values, with_gradients};
use proptest::prelude::*;
use toolkit_kernels::{gelu, layer_norm, rms_norm, softmax};

fn plain_layer_norm<const D: usize>(x: Tensor<D>, weight: Tensor<1>, bias: Tensor<1>) -> Tensor<D> {
    let centred = x.clone() - x.mean_dim(D - 1);
    let variance = (centred.clone() * centred.clone()).mean_dim(D - 1);
    centred / (variance + 1e-5).sqrt() * weight.unsqueeze() + bias.unsqueeze()
}

fn plain_rms_norm<const D: usize>(x: Tensor<D>, weight: Tensor<1>) -> Tensor<D> {
    x.clone() / ((x.clone() * x).mean_dim(D - 1) + 1e-6).sqrt() * weight.unsqueeze()
}

/// All four operations of a matrix, with the gradients of all their inputs, and the same by
/// primitives.
fn compare(x: Tensor<2>, weight: Tensor<2>, bias: Tensor<2>) {
    let one = |f: fn(Tensor<2>) -> Tensor<2>, g: fn(Tensor<2>) -> Tensor<2>| {
        let (got, [slope]) = with_gradients([x.clone()], |[x]| f(x));
        let (want, [wanted]) = with_gradients([x.clone()], |[x]| g(x));
        close(&got, &want, 1e-5);
        close(&slope, &wanted, 1e-5);
        close(&values(f(x.clone().inner())), &want, 1e-5);
    };
    one(gelu, activation::gelu);
    one(softmax, |x| activation::softmax(x, 1));
    let row = |x: Tensor<2>| x.flatten::<1>(0, 1);
    let all = [x.clone(), weight.clone(), bias];
    let (got, slopes) =
        with_gradients(all.clone(), |[x, w, b]| layer_norm(x, row(w), row(b), 1e-5));
    let (want, wanted) = with_gradients(all, |[x, w, b]| plain_layer_norm(x, row(w), row(b)));
    close(&got, &want, 2e-5);
    slopes.iter().zip(&wanted).for_each(|(got, want)| close(got, want, 1e-4));
    let (got, slopes) =
        with_gradients([x.clone(), weight.clone()], |[x, w]| rms_norm(x, row(w), 1e-6));
    let (want, wanted) = with_gradients([x, weight], |[x, w]| plain_rms_norm(x, row(w)));
    close(&got, &want, 1e-5);
    slopes.iter().zip(&wanted).for_each(|(got, want)| close(got, want, 1e-4));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn any_shape(rows in 1usize..40, width in 2usize..90, seed in 0u64..1000, scale in prop::sample::select(vec![0.1f32, 3.0, 10.0])) {
        let (_, device) = devices();
        // A view: rows with other values between them.
        let x = random([rows, 2 * width + 1], seed, scale, &device).slice([0..rows, 1..width + 1]);
        compare(x, random([1, width], seed + 1, 1.0, &device), random([1, width], seed + 2, 1.0, &device));
    }
}

#[test]
fn transposed_input() {
    let (_, device) = devices();
    let x = random([37, 19], 1, 3.0, &device).swap_dims(0, 1);
    compare(x, random([1, 37], 2, 1.0, &device), random([1, 37], 3, 1.0, &device));
}

#[test]
fn large_enough_for_threads() {
    let (_, device) = devices();
    let make = || {
        (
            random([600, 300], 1, 3.0, &device),
            random([1, 300], 2, 1.0, &device),
            random([1, 300], 3, 1.0, &device),
        )
    };
    let (x, weight, bias) = make();
    in_pool(2, || compare(x, weight, bias));
}

#[test]
fn gelu_is_exact_to_a_millionth() {
    let (plain, _) = devices();
    let x: Vec<f32> = (-60_000..60_000).map(|i| i as f32 * 2e-4).collect();
    let y = values(gelu(Tensor::<1>::from_floats(x.as_slice(), &plain)));
    let want = values(activation::gelu(Tensor::<1>::from_floats(x.as_slice(), &plain)));
    for ((x, y), want) in x.iter().zip(y).zip(want) {
        assert!((y - want).abs() < 1e-6, "{x}: {y} for {want}");
    }
}

#[test]
fn derivatives() {
    let (_, device) = devices();
    let x = random([3, 5], 4, 2.0, &device);
    let weight = random([5], 5, 1.0, &device);
    finite_differences(x.clone(), gelu);
    finite_differences(x.clone(), softmax);
    finite_differences(x.clone(), |x| layer_norm(x, weight.clone(), weight.clone() * 2.0, 1e-5));
    finite_differences(x.clone(), |x| rms_norm(x, weight.clone(), 1e-6));
    finite_differences(weight, |w| layer_norm(x.clone(), w.clone(), w, 1e-5));
}

#[test]
fn extreme_values() {
    let (plain, _) = devices();
    let x = Tensor::<2>::from_floats(
        [[0.0, -1e4, 1e4], [-1e4, -1e4, -1e4], [1e4, 1e4, 9999.0], [-1e30, 3e38, 0.0]],
        &plain,
    );
    close(&values(softmax(x.clone())), &values(activation::softmax(x, 1)), 1e-6);
    let nan = Tensor::<2>::from_floats(
        [[f32::NEG_INFINITY, 1.0, 2.0], [f32::NEG_INFINITY; 3], [f32::NAN, 0.0, 1.0]],
        &plain,
    );
    close(&values(softmax(nan.clone())), &values(activation::softmax(nan, 1)), 1e-6);
    let x = Tensor::<1>::from_floats([-1e4, -30.0, 0.0, 30.0, 1e4, f32::NAN], &plain);
    close(&values(gelu(x)), &[0.0, 0.0, 0.0, 30.0, 1e4, f32::NAN], 0.0);
    // A large mean: the variance must not be the difference of two large squares.
    let x = random([4, 64], 9, 1.0, &plain) + 1000.0;
    let ones = Tensor::<1>::ones([64], &plain);
    close(
        &values(layer_norm(x.clone(), ones.clone(), ones.clone(), 1e-5)),
        &values(plain_layer_norm(x, ones.clone(), ones)),
        1e-3,
    );
}

#[test]
fn a_tensor_used_twice_gathers_both_gradients() {
    let (_, device) = devices();
    let x = random([6, 7], 3, 1.0, &device);
    let weight = random([7], 5, 1.0, &device);
    let ours = |x: Tensor<2>| {
        let y = softmax(gelu(x.clone()) + x.clone());
        layer_norm(y.clone() + gelu(x.clone()) * x, weight.clone(), weight.clone(), 1e-5) + y
    };
    let theirs = |x: Tensor<2>| {
        let y = activation::softmax(activation::gelu(x.clone()) + x.clone(), 1);
        plain_layer_norm(
            y.clone() + activation::gelu(x.clone()) * x,
            weight.clone(),
            weight.clone(),
        ) + y
    };
    let (got, [slope]) = with_gradients([x.clone()], |[x]| ours(x));
    let (want, [wanted]) = with_gradients([x], |[x]| theirs(x));
    close(&got, &want, 1e-5);
    close(&slope, &wanted, 1e-4);
}

#[test]
fn inputs_are_left_alone() {
    let (plain, _) = devices();
    let x = random([5, 9], 3, 1.0, &plain);
    let before = values(x.clone());
    let _ = (gelu(x.clone()), softmax(x.clone()));
    let half = x.clone().slice([0..2, 0..9]);
    let _ = (gelu(half.clone()), softmax(half));
    assert_eq!(values(x), before);
}

#[test]
fn other_number_types_take_the_primitives() {
    let x = random([3, 4], 1, 1.0, &Device::flex()).cast(burn::tensor::DType::F64);
    assert_eq!(gelu(x.clone()).dtype(), burn::tensor::DType::F64);
    assert_eq!(softmax(x).dtype(), burn::tensor::DType::F64);
    assert_eq!(softmax(Tensor::<2>::zeros([0, 4], &Device::flex())).dims(), [0, 4]);
}

/// Outputs and gradients of row operations, one row after the other.
fn bits(x: Tensor<2>, weight: &Tensor<1>) -> Vec<Vec<u32>> {
    let f = |[x]: [Tensor<2>; 1]| {
        let y = layer_norm(softmax(gelu(x)), weight.clone(), weight.clone(), 1e-5);
        rms_norm(y, weight.clone(), 1e-6)
    };
    // The same weights for every row of the loss.
    let x = x.detach().require_grad();
    let y = f([x.clone()]);
    let weights = random([1, y.dims()[1]], 78, 1.0, &y.device());
    let mut gradients = (y.clone() * weights).sum().backward();
    let slope = x.grad_remove(&mut gradients).unwrap();
    let width = y.dims()[1];
    let rows = |v: Vec<f32>| {
        v.chunks(width).map(|r| r.iter().map(|v| v.to_bits()).collect()).collect::<Vec<Vec<u32>>>()
    };
    rows(values(y)).into_iter().zip(rows(values(slope))).map(|(a, b)| [a, b].concat()).collect()
}

#[test]
fn a_row_is_the_same_alone_in_a_batch_and_for_any_number_of_threads() {
    let (_, device) = devices();
    let (x, weight) = (random([900, 213], 6, 3.0, &device), random([213], 7, 1.0, &device));
    let one = in_pool(1, || bits(x.clone(), &weight));
    assert_eq!(one, in_pool(2, || bits(x.clone(), &weight)));
    for row in [0, 1, 18, 19, 899] {
        assert_eq!(one[row], bits(x.clone().slice([row..row + 1, 0..213]), &weight)[0]);
    }
    let by_weight = |threads| {
        in_pool(threads, || {
            with_gradients([weight.clone()], |[w]| layer_norm(x.clone(), w.clone(), w, 1e-5)).1
        })
    };
    assert_eq!(by_weight(1), by_weight(2));
}
