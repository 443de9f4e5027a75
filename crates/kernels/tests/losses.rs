//! Cross-entropy against burn's primitives and finite differences.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use burn::tensor::{Int, Tensor, TensorData, activation};
use common::{close, devices, finite_differences, in_pool, random, values, with_gradients};
use proptest::prelude::*;
use toolkit_kernels::cross_entropy;

fn plain(logits: Tensor<2>, labels: Tensor<1, Int>, smoothing: f64) -> Tensor<1> {
    let [rows, _] = logits.dims();
    let log_p = activation::log_softmax(logits, 1);
    let hit = log_p.clone().gather(1, labels.reshape([rows, 1])).reshape([rows]).neg();
    if smoothing == 0.0 {
        hit
    } else {
        hit * (1.0 - smoothing) + log_p.mean_dim(1).reshape([rows]).neg() * smoothing
    }
}

fn labels(rows: usize, classes: usize, seed: usize) -> Vec<i64> {
    (0..rows).map(|i| ((i * 31 + seed) % classes) as i64).collect()
}

/// Plain and tracked values and gradients, also of logits that are a view.
fn compare(logits: Tensor<2>, smoothing: f64, seed: usize) {
    let [rows, classes] = logits.dims();
    let ids = TensorData::new(labels(rows, classes, seed), [rows]);
    let ids = Tensor::<1, Int>::from_data(ids, &logits.device());
    let (got, [slope]) =
        with_gradients([logits.clone()], |[x]| cross_entropy(x, ids.clone(), smoothing));
    let (want, [wanted]) = with_gradients([logits.clone()], |[x]| plain(x, ids.clone(), smoothing));
    close(&got, &want, 1e-5);
    close(&slope, &wanted, 1e-5);
    close(&values(cross_entropy(logits.inner(), ids.inner(), smoothing)), &want, 1e-5);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn any_shape(
        rows in 1usize..30,
        classes in 1usize..400,
        seed in 0usize..1000,
        scale in prop::sample::select(vec![0.1f32, 5.0, 30.0]),
        smoothing in prop::sample::select(vec![0.0, 0.1, 1.0]),
    ) {
        let (_, device) = devices();
        compare(random([rows, classes], seed as u64, scale, &device), smoothing, seed);
        compare(random([classes, rows], seed as u64, scale, &device).swap_dims(0, 1), smoothing, seed);
    }
}

#[test]
fn a_vocabulary_longer_than_a_piece_and_threads() {
    let (_, device) = devices();
    in_pool(2, || compare(random([70, 3001], 3, 4.0, &device), 0.1, 5));
}

#[test]
fn derivatives() {
    let (_, device) = devices();
    let ids = Tensor::<1, Int>::from_data([2, 0, 4], &device);
    finite_differences(random([3, 5], 4, 2.0, &device), |x| cross_entropy(x, ids.clone(), 0.1));
}

#[test]
fn extreme_logits() {
    let (plain_device, device) = devices();
    let ids = Tensor::<1, Int>::from_data([0, 1, 2], &plain_device);
    let x = Tensor::<2>::from_floats(
        [[1e4, -1e4, 0.0], [1e4, -1e4, 0.0], [-1e4, -1e4, -1e4]],
        &plain_device,
    );
    close(&values(cross_entropy(x.clone(), ids.clone(), 0.0)), &[0.0, 2e4, libm::logf(3.0)], 1e-6);
    close(&values(cross_entropy(x.clone(), ids.clone(), 0.1)), &values(plain(x, ids, 0.1)), 1e-6);
    let ids = Tensor::<1, Int>::from_data([1], &device);
    let hidden = Tensor::<2>::from_floats([[f32::NEG_INFINITY, 1.0, 2.0]], &device);
    let (got, [slope]) = with_gradients([hidden], |[x]| cross_entropy(x, ids.clone(), 0.0));
    assert!(got[0].is_finite() && slope.iter().all(|v| v.is_finite()) && slope[0] == 0.0);
}

#[test]
fn logits_used_elsewhere_keep_their_values() {
    let (_, device) = devices();
    let x = random([6, 11], 8, 2.0, &device);
    let ids = Tensor::<1, Int>::from_data([0, 1, 2, 3, 4, 10], &device);
    let (got, [slope]) = with_gradients([x.clone()], |[x]| {
        cross_entropy(x.clone(), ids.clone(), 0.1) + (x.clone() * x).sum_dim(1).reshape([6])
    });
    let (want, [wanted]) = with_gradients([x.clone()], |[x]| {
        plain(x.clone(), ids.clone(), 0.1) + (x.clone() * x).sum_dim(1).reshape([6])
    });
    close(&got, &want, 1e-5);
    close(&slope, &wanted, 1e-5);
}

#[test]
#[should_panic(expected = "label 5 is not one of 5 classes")]
fn a_label_out_of_range_is_refused() {
    let (device, _) = devices();
    let _ = cross_entropy(random([1, 5], 4, 2.0, &device), Tensor::from_data([5], &device), 0.1);
}

#[test]
fn a_row_is_the_same_alone_in_a_batch_and_for_any_number_of_threads() {
    let (_, device) = devices();
    let x = random([900, 320], 6, 3.0, &device);
    let ids = labels(900, 320, 3);
    let run = |from: usize, to: usize| {
        let ids = Tensor::<1, Int>::from_data(
            TensorData::new(ids[from..to].to_vec(), [to - from]),
            &device,
        );
        let x = x.clone().slice([from..to, 0..320]).detach().require_grad();
        let y = cross_entropy(x.clone(), ids, 0.1);
        let mut gradients = y.clone().sum().backward();
        (values(y), values(x.grad_remove(&mut gradients).unwrap()))
    };
    let one = in_pool(1, || run(0, 900));
    assert_eq!(one, in_pool(2, || run(0, 900)));
    for row in [0, 13, 899] {
        let (y, slope) = run(row, row + 1);
        assert_eq!(y[0], one.0[row]);
        assert_eq!(slope, one.1[row * 320..(row + 1) * 320]);
    }
}
