//! Activations, sums, products of few rows and AdamW against burn's primitives.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use burn::tensor::{Device, Int, Tensor, activation};
use common::{close, devices, finite_differences, in_pool, random, values, with_gradients};
use proptest::prelude::*;
use toolkit_kernels as ours;
use toolkit_kernels::AdamWStep;

type Op = fn(Tensor<2>) -> Tensor<2>;

fn tanh_gelu(x: Tensor<2>) -> Tensor<2> {
    let inner =
        (x.clone() + x.clone().powi_scalar(3) * 0.044_715) * (2.0 / std::f64::consts::PI).sqrt();
    x * (inner.tanh() + 1.0) * 0.5
}

const ACTIVATIONS: [(Op, Op); 5] = [
    (ours::gelu, activation::gelu),
    (ours::gelu_tanh, tanh_gelu),
    (ours::quick_gelu, |x| x.clone() * activation::sigmoid(x * 1.702)),
    (ours::silu, activation::silu),
    (ours::relu, activation::relu),
];

#[test]
fn activations_and_their_slopes() {
    let (_, device) = devices();
    for (op, plain) in ACTIVATIONS {
        for shape in [[3, 5], [1, 1], [40, 33], [400, 700]] {
            let x = random(shape, 3, 6.0, &device);
            let (got, [slope]) = in_pool(2, || with_gradients([x.clone()], |[x]| op(x)));
            let (want, [wanted]) = with_gradients([x], |[x]| plain(x));
            close(&got, &want, 1e-6);
            close(&slope, &wanted, 3e-6);
        }
        finite_differences(random([2, 7], 5, 2.0, &device), op);
    }
}

#[test]
fn activations_far_out_are_finite() {
    let x = Tensor::<2>::from_floats([[-1e4, -90.0, 90.0, 1e4, 0.0, -0.0]], &Device::flex());
    for (op, _) in ACTIVATIONS {
        let got = values(op(x.clone()));
        close(&got, &[0.0, 0.0, 90.0, 1e4, 0.0, 0.0], 1e-6);
    }
}

#[test]
fn sums_and_their_gradients() {
    let (_, device) = devices();
    for [rows, width] in [[1, 1], [7, 5], [33, 70], [700, 300]] {
        let (x, y) =
            (random([rows, width], 3, 2.0, &device), random([rows, width], 4, 2.0, &device));
        let (got, slopes) =
            in_pool(2, || with_gradients([x.clone(), y.clone()], |[x, y]| ours::add(x, y)));
        let (want, wanted) = with_gradients([x.clone(), y.clone()], |[x, y]| x + y);
        close(&got, &want, 0.0);
        slopes.iter().zip(&wanted).for_each(|(got, want)| close(got, want, 0.0));
        let row = |y: Tensor<2>| y.narrow(0, 0, 1).reshape([width]);
        let (got, slopes) = in_pool(2, || {
            with_gradients([x.clone(), y.clone()], |[x, y]| ours::add_bias(x, row(y)))
        });
        let (want, wanted) = with_gradients([x.clone(), y], |[x, y]| x + row(y).unsqueeze());
        close(&got, &want, 0.0);
        slopes.iter().zip(&wanted).for_each(|(got, want)| close(got, want, 1e-4));
        let squares = f64::from(x.clone().inner().square().sum().into_scalar::<f32>());
        assert!((ours::sum_of_squares(x.inner()) / squares - 1.0).abs() < 1e-5);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn products_of_few_rows(rows in 1usize..45, k in 1usize..90, n in 1usize..1100, seed in 0u64..100) {
        let device = Device::flex();
        let (x, w) = (random([rows, k], seed, 1.0, &device), random([k, n], seed + 1, 1.0, &device));
        let bias = random([n], seed + 2, 1.0, &device);
        let want = values(x.clone().matmul(w.clone()) + bias.clone().unsqueeze());
        let got = in_pool(2, || values(ours::linear(x.clone(), w.clone(), Some(bias.clone()))));
        close(&got, &want, 2e-5);
        let across = w.transpose();
        let table = Tensor::from_data(across.into_data(), &device);
        close(&values(ours::times_transposed(x.clone(), table)), &values(x.matmul(w_of(seed, k, n, &device))), 2e-5);
    }
}

fn w_of(seed: u64, k: usize, n: usize, device: &Device) -> Tensor<2> {
    random([k, n], seed + 1, 1.0, device)
}

/// A row's product is the same to the last bit whatever stands beside it and however many threads
/// there are.
#[test]
fn a_row_does_not_know_the_others() {
    let device = Device::flex();
    // A few, and so many that sums are made in tiles; matrices whose sides fill neither lanes nor
    // pieces.
    for (rows, k, n) in [(7, 300, 517), (23, 300, 532), (41, 317, 517)] {
        let (x, w) = (random([rows, k], 1, 1.0, &device), random([k, n], 2, 1.0, &device));
        let table = Tensor::<2>::from_data(w.clone().transpose().into_data(), &device);
        let whole = values(ours::linear(x.clone(), w.clone(), None));
        let head = values(ours::times_transposed(x.clone(), table.clone()));
        for row in 0..rows {
            let one = x.clone().narrow(0, row, 1);
            let threads = 1 + row % 3;
            let alone = in_pool(threads, || values(ours::linear(one.clone(), w.clone(), None)));
            assert_eq!(alone, whole[row * n..][..n]);
            let alone =
                in_pool(threads, || values(ours::times_transposed(one.clone(), table.clone())));
            assert_eq!(alone, head[row * n..][..n]);
        }
    }
}

#[test]
fn adamw_is_its_definition() {
    let device = Device::flex();
    let step = AdamWStep {
        betas: [0.9, 0.98],
        eps: 1e-8,
        corrections: [0.271, 0.058],
        rate: 1e-2,
        decay: 0.999,
        gradient_scale: 0.5,
    };
    for shape in [[1, 3], [300, 700]] {
        let [value, first, grad] = [1, 2, 3].map(|seed| random(shape, seed, 1.0, &device));
        let second = random(shape, 4, 1.0, &device).square();
        let grad_of = values(grad.clone());
        let before = [value.clone(), first.clone(), second.clone()].map(values);
        let after =
            in_pool(2, || ours::adamw(step, [value.clone(), first, second, grad])).map(values);
        assert_eq!(values(value), before[0], "a tensor that others hold stays as it is");
        for (i, &g) in grad_of.iter().enumerate() {
            let g = f64::from(g) * step.gradient_scale;
            let [v, m, s] = [0, 1, 2].map(|part| f64::from(before[part][i]));
            let (m, s) = (m * 0.9 + g * 0.1, s * 0.98 + g * g * 0.02);
            let v = v * step.decay - step.rate * (m / 0.271) / ((s / 0.058).sqrt() + step.eps);
            for (got, want) in after.iter().map(|part| part[i]).zip([v, m, s]) {
                assert!(
                    (f64::from(got) - want).abs() < 2e-6 * want.abs().max(1.0),
                    "{i}: {got} for {want}"
                );
            }
        }
    }
}

/// A matrix of bf16 is multiplied as its widened form is, with the gradient of the rows.
#[test]
fn a_matrix_of_bf16() {
    let (_, device) = devices();
    let x = random([21, 70], 1, 1.0, &device);
    for transposed in [false, true] {
        let shape = if transposed { [33, 70] } else { [70, 33] };
        let half = random(shape, 2, 1.0, &device).cast(burn::tensor::DType::BF16);
        let op = |x: Tensor<2>, w: Tensor<2>| match transposed {
            true => ours::times_transposed(x, w),
            false => ours::linear(x, w, None),
        };
        let wide = half.clone().cast(burn::tensor::DType::F32);
        let (got, [slope]) = with_gradients([x.clone()], |[x]| op(x, half.clone()));
        let (want, [wanted]) = with_gradients([x.clone()], |[x]| op(x, wide.clone()));
        assert_eq!((got, slope), (want, wanted));
    }
}

/// A matrix of blocks is multiplied as its widened form is, but for the rounding of `x`; with a
/// gradient, exactly so.
#[test]
fn matrices_of_blocks() {
    let (device, recording) = devices();
    for format in [ours::BlockFormat::Q8_0, ours::BlockFormat::Q4_1] {
        for [rows, k, n] in [[1, 32, 7], [3, 96, 129], [12, 512, 300]] {
            let w = values(random([n, k], 2, 1.0, &device));
            let w = ours::BlockMatrix::encode(format, [n, k], &w).unwrap();
            let x = random([rows, k], 1, 1.0, &device);
            let wide = w.widen();
            let want = values(x.clone().matmul(wide.clone().transpose()));
            let bias = random([n], 3, 1.0, &device);
            let (weight, table) = (w.clone().into_weight(), w.into_table());
            let got = values(ours::linear(x.clone(), weight.clone(), None));
            // Half a step of 1 / 127 in each of up to 512 numbers, of either sign.
            close(&got, &want, 0.1);
            assert_eq!(got, values(ours::times_transposed(x.clone(), table.clone())));
            let moved = values(ours::linear(x.clone(), weight.clone(), Some(bias.clone())));
            let got =
                Tensor::<2>::from_data(burn::tensor::TensorData::new(got, [rows, n]), &device);
            close(&moved, &values(got + bias.unsqueeze()), 1e-6);

            let tracked = random([rows, k], 1, 1.0, &recording);
            let (got, [slope]) =
                with_gradients([tracked.clone()], |[x]| ours::linear(x, weight.clone(), None));
            let wide_there = Tensor::<2>::from_data(wide.clone().into_data(), &recording);
            let (want, [wanted]) =
                with_gradients([tracked], |[x]| x.matmul(wide_there.clone().transpose()));
            close(&got, &want, 1e-4);
            close(&slope, &wanted, 1e-4);

            let ids = Tensor::<2, Int>::from_data([[0, (n - 1) as i64], [3, 0]], &device);
            assert_eq!(
                values(ours::embedding(table, ids.clone())),
                values(ours::embedding(wide, ids))
            );
        }
    }
}

/// One pass over constants has the bits of burn's operations, which a tensor with a gradient takes.
#[test]
fn rotation() {
    let (device, recording) = devices();
    for (shape, interleaved) in [([2, 3, 5, 8], true), ([1, 4, 1, 6], false), ([3, 1, 2, 4], true)]
    {
        let [batch, _, tokens, width] = shape;
        let there = |device: &Device| {
            let angles = random([batch, 1, tokens, width / 2], 5, 3.0, device);
            let (x, cos, sin) = (random(shape, 4, 1.0, device), angles.clone().cos(), angles.sin());
            values(ours::rotate(x, &cos, &sin, interleaved))
        };
        assert_eq!(there(&device), there(&recording));
        // A rotation keeps lengths, and turns both numbers of a pair.
        let (cos, sin) =
            (Tensor::zeros([1, 1, 1, 2], &device), Tensor::ones([1, 1, 1, 2], &device));
        let x = Tensor::<4>::from_data([[[[1.0, 2.0, 3.0, 4.0]]]], &device);
        let want = if interleaved { [-2.0, -4.0, 1.0, 3.0] } else { [-3.0, -4.0, 1.0, 2.0] };
        assert_eq!(values(ours::rotate(x, &cos, &sin, interleaved)), want);
    }
}

#[test]
fn dropout_keeps_what_it_is_told() {
    let (_, device) = devices();
    let x = random([300, 700], 1, 1.0, &device);
    let elements: Vec<u8> = (0..300 * 700).map(|i| u8::from(i % 3 != 0)).collect();
    let factors: Vec<f32> = elements.iter().map(|&stays| f32::from(stays) * 1.5).collect();
    let factors =
        Tensor::<2>::from_data(burn::tensor::TensorData::new(factors, [300, 700]), &device);
    let mask = ours::DropoutMask { keep: elements.into(), scale: 1.5 };
    let (got, [slope]) =
        in_pool(2, || with_gradients([x.clone()], |[x]| ours::dropout(x, mask.clone())));
    let (want, [wanted]) = with_gradients([x], |[x]| x * factors.clone());
    close(&got, &want, 0.0);
    close(&slope, &wanted, 0.0);
}

/// Two graphs of one parameter, the second with a gradient that is carried into it, against one
/// graph.
#[test]
fn gradients_are_gathered_and_carried() {
    let (_, device) = devices();
    let (x, y) = (random([4, 6], 1, 1.0, &device), random([6, 4], 2, 1.0, &device));
    let x = x.require_grad();
    let whole =
        (x.clone().matmul(y.clone()).sum() + x.clone().transpose().exp().sum() * 3.0).backward();
    let want = values(x.grad(&whole).unwrap());

    let (gathered, mut slots) =
        (ours::GradientAccumulator::default(), ours::AccumulatorMap::default());
    let first = gathered.attach(x.clone(), &mut slots).unwrap().matmul(y).sum();
    let first = slots.backward(&first);
    assert!(x.grad(&first).is_none(), "what is gathered does not come to the parameter");
    let second = gathered.attach(x.clone(), &mut slots).unwrap().transpose();
    let slope = second.clone().inner().exp();
    let _ = slots.backward(&(ours::with_gradient(second, slope) * 3.0));
    close(&values(gathered.take::<2>().unwrap()), &want, 1e-5);
    assert!(gathered.take::<2>().is_none());
}

/// A product, both ways round, with what burn makes of it; with a constant on either side; and
/// gathered from two graphs in which it also stands behind an operation of burn's own, so that both
/// kinds of gradients come.
#[test]
fn products_and_their_gradients() {
    let (_, device) = devices();
    for [rows, inputs, outputs] in [[1, 1, 1], [3, 5, 7], [40, 33, 70], [300, 200, 260]] {
        let x = random([rows, inputs], 1, 1.0, &device);
        for transposed in [false, true] {
            let shape = if transposed { [outputs, inputs] } else { [inputs, outputs] };
            let w = random(shape, 2, 1.0, &device);
            let op = |x: Tensor<2>, w: Tensor<2>| match transposed {
                true => ours::times_transposed(x, w),
                false => ours::linear(x, w, None),
            };
            let plain =
                |x: Tensor<2>, w: Tensor<2>| x.matmul(if transposed { w.transpose() } else { w });
            let (got, slopes) =
                in_pool(2, || with_gradients([x.clone(), w.clone()], |[x, w]| op(x, w)));
            let (want, wanted) = with_gradients([x.clone(), w.clone()], |[x, w]| plain(x, w));
            close(&got, &want, 1e-4);
            slopes.iter().zip(&wanted).for_each(|(got, want)| close(got, want, 1e-4));
            let (_, [alone]) = with_gradients([x.clone()], |[x]| op(x, w.clone()));
            close(&alone, &slopes[0], 0.0);
            let (_, [alone]) = with_gradients([w.clone()], |[w]| op(x.clone(), w));
            close(&alone, &slopes[1], 0.0);

            let w = w.require_grad();
            let loss = |w: Tensor<2>, f: &dyn Fn(Tensor<2>, Tensor<2>) -> Tensor<2>| {
                f(x.clone(), w.clone()).exp().sum() * 0.001 + w.sin().sum()
            };
            let want = values(w.grad(&(loss(w.clone(), &plain) * 2.0).backward()).unwrap());
            let (gathered, mut slots) =
                (ours::GradientAccumulator::default(), ours::AccumulatorMap::default());
            for _ in 0..2 {
                let loss = loss(gathered.attach(w.clone(), &mut slots).unwrap(), &op);
                let rest = slots.backward(&loss);
                assert!(w.grad(&rest).is_none());
            }
            let largest = want.iter().fold(1.0_f32, |m, x| m.max(x.abs()));
            close(&values(gathered.take::<2>().unwrap()), &want, 1e-4 * largest);
        }
    }
    finite_differences(random([3, 4], 5, 1.0, &device), |x| {
        ours::linear(x.clone(), x.transpose(), None)
    });
}

#[test]
fn rows_of_a_table_and_their_gradients() {
    let (_, device) = devices();
    let table = random([9, 5], 3, 1.0, &device);
    let ids = Tensor::<2, Int>::from_ints([[3, 0, 3], [8, 3, 1]], &device);
    let (got, [slope]) = with_gradients([table.clone()], |[t]| ours::embedding(t, ids.clone()));
    let (want, [wanted]) =
        with_gradients([table.clone()], |[t]| burn::tensor::module::embedding(t, ids.clone()));
    close(&got, &want, 0.0);
    close(&slope, &wanted, 1e-6);
    // Twice from a table that is a head as well.
    let table = table.require_grad();
    let (gathered, mut slots) =
        (ours::GradientAccumulator::default(), ours::AccumulatorMap::default());
    let loss = |t: Tensor<2>| {
        let rows = ours::embedding(t.clone(), ids.clone()).reshape([6, 5]);
        ours::times_transposed(rows, t).exp().sum()
    };
    for _ in 0..2 {
        let loss = loss(gathered.attach(table.clone(), &mut slots).unwrap());
        let _ = slots.backward(&loss);
    }
    let want = values(table.grad(&(loss(table.clone()) * 2.0).backward()).unwrap());
    let largest = want.iter().fold(1.0_f32, |m, x| m.max(x.abs()));
    close(&values(gathered.take::<2>().unwrap()), &want, 1e-5 * largest);
}

#[test]
#[should_panic(expected = "9 is not one of 9")]
fn a_row_that_is_not_there() {
    let (_, device) = devices();
    let ids = Tensor::<2, Int>::from_ints([[9]], &device);
    let _ = ours::embedding(random([9, 5], 3, 1.0, &device), ids);
}
