//! Sums, scaled rows, directions, soft targets and batched products against burn's primitives.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use burn::tensor::{Tensor, activation};
use common::{close, devices, finite_differences, in_pool, random, values, with_gradients};
use toolkit_kernels as ours;

#[test]
fn sums_and_means_of_all_elements() {
    let (plain, device) = devices();
    for shape in [[1, 1], [3, 7], [40, 33], [700, 400]] {
        let x = random(shape, 3, 1.0, &device);
        let (got, [slope]) = in_pool(2, || with_gradients([x.clone()], |[x]| ours::sum(x)));
        let exact: f64 = values(x.clone()).iter().map(|&x| f64::from(x)).sum();
        assert!(
            (f64::from(got[0]) - exact).abs() < 1e-5 * exact.abs().max(1.0),
            "{got:?}, {exact}"
        );
        let (_, [wanted]) = with_gradients([x.clone()], |[x]| x.sum());
        close(&slope, &wanted, 0.0);
        let (got, [slope]) = with_gradients([x.clone()], |[x]| ours::mean(x));
        let (want, [wanted]) = with_gradients([x.clone()], |[x]| x.mean());
        close(&got, &want, 1e-6);
        close(&slope, &wanted, 1e-9);
        // A view is summed in its own order, and so as its copy.
        let turned = random(shape, 3, 1.0, &plain).swap_dims(0, 1);
        let copy = Tensor::<2>::from_data(turned.clone().into_data(), &plain);
        assert_eq!(values(ours::sum(turned)), values(ours::sum(copy)));
    }
}

#[test]
fn rows_by_a_number_each() {
    let (_, device) = devices();
    for [rows, width] in [[1, 1], [1, 90], [7, 5], [300, 70]] {
        let x = random([rows, width], 5, 2.0, &device);
        let scale = random([rows, width], 6, 2.0, &device);
        let first = |s: Tensor<2>| s.narrow(1, 0, 1).reshape([rows]);
        let (got, slopes) =
            with_gradients([x.clone(), scale.clone()], |[x, s]| ours::scale_rows(x, first(s)));
        let (want, wanted) = with_gradients([x, scale], |[x, s]| x * first(s).unsqueeze_dim(1));
        close(&got, &want, 0.0);
        slopes.iter().zip(&wanted).for_each(|(got, want)| close(got, want, 2e-5));
    }
    finite_differences(random([3, 4], 7, 1.0, &device), |x| {
        ours::scale_rows(x.clone(), x.narrow(1, 2, 1).reshape([3]))
    });
}

#[test]
fn directions() {
    let (_, device) = devices();
    let plain = |x: Tensor<3>| {
        let length = (x.clone() * x.clone()).sum_dim(2).clamp_min(1e-24).sqrt();
        x / length
    };
    for shape in [[1, 1, 1], [2, 3, 5], [1, 700, 256]] {
        let x = random(shape, 9, 3.0, &device);
        let (got, [slope]) =
            in_pool(2, || with_gradients([x.clone()], |[x]| ours::l2_normalise(x)));
        let (want, [wanted]) = with_gradients([x], |[x]| plain(x));
        close(&got, &want, 1e-6);
        close(&slope, &wanted, 1e-5);
    }
    finite_differences(random([1, 3, 4], 8, 2.0, &device), ours::l2_normalise);
    let (got, [slope]) =
        with_gradients([Tensor::<3>::zeros([1, 2, 3], &device)], |[x]| ours::l2_normalise(x));
    assert!(got.iter().all(|&x| x == 0.0) && slope.iter().all(|x| x.is_finite()));
}

#[test]
fn targets_that_are_distributions() {
    let (_, device) = devices();
    let plain = |x: Tensor<2>, t: Tensor<2>| {
        (activation::log_softmax(x, 1) * t).sum_dim(1).reshape([-1_i32]).neg()
    };
    for [rows, classes] in [[1, 1], [5, 3], [64, 64], [3, 5000], [300, 700]] {
        let targets = random([rows, classes], 2, 1.0, &device).abs().inner();
        let targets = Tensor::from_inner(targets.clone() / targets.sum_dim(1));
        let x = random([rows, classes], 4, 8.0, &device);
        let (got, [slope]) = in_pool(2, || {
            with_gradients([x.clone()], |[x]| ours::soft_cross_entropy(x, targets.clone()))
        });
        let (want, [wanted]) = with_gradients([x], |[x]| plain(x, targets.clone()));
        close(&got, &want, 2e-6);
        close(&slope, &wanted, 1e-6);
    }
    let targets = Tensor::from_floats([[0.0, 0.25, 0.75], [0.5, 0.5, 0.0]], &device);
    finite_differences(random([2, 3], 5, 2.0, &device), |x| {
        ours::soft_cross_entropy(x, targets.clone())
    });
}

#[test]
fn logarithms_of_sums() {
    let row: Vec<f32> = values(random([3000], 3, 30.0, &devices().0));
    for count in [1, 2, 1024, 1025, 3000] {
        let exact: f64 = row[..count].iter().map(|&x| libm::exp(f64::from(x))).sum();
        let exact = libm::log(exact);
        let got = ours::log_sum_exp(&row[..count]);
        assert!((got - exact).abs() < 3e-7, "{count}: {got} for {exact}");
    }
    assert!(ours::log_sum_exp(&[1.0, f32::NAN]).is_nan());
    assert!(!ours::log_sum_exp(&[1.0, f32::INFINITY]).is_finite());
    assert!(!ours::log_sum_exp(&[f32::NEG_INFINITY; 3]).is_finite());
    assert_eq!(ours::log_sum_exp(&[f32::NEG_INFINITY, 2.0]), 2.0);
}

#[test]
fn products_of_a_batch() {
    let (_, device) = devices();
    for (items, [batch, m, n, k]) in
        [(1, [1, 1, 1, 1]), (3, [3, 2, 20, 7]), (1, [4, 33, 50, 19]), (5, [5, 40, 64, 300])]
    {
        let a = random([items, m, k], 1, 1.0, &device).require_grad();
        let b = random([batch, k, n], 2, 1.0, &device).require_grad();
        let weights = random([batch, m, n], 3, 1.0, &device);
        let run = |f: &dyn Fn(Tensor<3>, Tensor<3>) -> Tensor<3>| {
            let y = f(a.clone(), b.clone());
            let mut slopes = (y.clone() * weights.clone()).sum().backward();
            let of = |x: &Tensor<3>, slopes: &mut _| values(x.grad_remove(slopes).unwrap());
            [values(y), of(&a, &mut slopes), of(&b, &mut slopes)]
        };
        let (got, want) = (run(&ours::batched_product), run(&|a, b| a.matmul(b)));
        got.iter().zip(&want).for_each(|(got, want)| close(got, want, 2e-5));
    }
    let a = random([1, 2, 3], 1, 1.0, &device);
    finite_differences(random([2, 3, 2], 7, 1.0, &device), |x| ours::batched_product(a.clone(), x));
}
