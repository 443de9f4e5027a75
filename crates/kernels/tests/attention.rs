//! Attention against burn's primitives and finite differences.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use burn::tensor::{Device, Tensor, activation};
use common::{close, devices, finite_differences, in_pool, random, values, with_gradients};
use proptest::prelude::*;
use toolkit_kernels::{AttentionOptions, attention};

fn plain(
    q: Tensor<4>,
    k: Tensor<4>,
    v: Tensor<4>,
    bias: Option<Tensor<4>>,
    scale: f64,
) -> Tensor<4> {
    let scores = q.matmul(k.swap_dims(2, 3)) * scale;
    let scores = if let Some(bias) = bias { scores + bias } else { scores };
    activation::softmax(scores, 3).matmul(v)
}

/// Queries, keys and values of these sizes; as views of `[batch, tokens, heads, width]` or
/// contiguous.
fn inputs(
    [batch, heads, queries, keys, width]: [usize; 5],
    view: bool,
    seed: u64,
    device: &Device,
) -> [Tensor<4>; 3] {
    [queries, keys, keys].map(|tokens| {
        let seed = seed * 7 + tokens as u64;
        if view {
            random([batch, tokens, heads, width], seed, 1.0, device).swap_dims(1, 2)
        } else {
            random([batch, heads, tokens, width], seed, 1.0, device)
        }
    })
}

fn compare(inputs: [Tensor<4>; 3], bias: Option<Tensor<4>>) {
    let scale = 0.3;
    let (got, slopes) = with_gradients(inputs.clone(), |[q, k, v]| {
        attention(q, k, v, AttentionOptions::new(scale).bias(bias.clone()))
    });
    let (want, wanted) =
        with_gradients(inputs.clone(), |[q, k, v]| plain(q, k, v, bias.clone(), scale));
    close(&got, &want, 1e-5);
    slopes.iter().zip(&wanted).for_each(|(got, want)| close(got, want, 3e-5));
    let [q, k, v] = inputs.map(Tensor::inner);
    close(
        &values(attention(q, k, v, AttentionOptions::new(scale).bias(bias.map(Tensor::inner)))),
        &want,
        1e-5,
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn any_shape(
        batch in 1usize..6,
        heads in 1usize..4,
        queries in 1usize..20,
        keys in 1usize..70,
        width in prop::sample::select(vec![1usize, 5, 8, 16, 24, 32, 37, 64]),
        view in any::<bool>(),
        broadcast in 0usize..17,
        seed in 0u64..1000,
    ) {
        let (_, device) = devices();
        // Each of the four dimensions of the bias is full or one; sixteen is no bias.
        let full = [batch, heads, queries, keys];
        let shape = std::array::from_fn(|i| if broadcast >> i & 1 == 0 { full[i] } else { 1 });
        let bias = (broadcast < 16).then(|| random(shape, seed, 3.0, &device));
        compare(inputs([batch, heads, queries, keys, width], view, seed, &device), bias);
    }
}

#[test]
fn large_enough_for_threads_and_for_packing() {
    let (_, device) = devices();
    for batch in [2, 5] {
        for view in [true, false] {
            let all = inputs([batch, 6, 64, 257, 64], view, 3, &device);
            let bias = random([batch, 1, 1, 257], 4, 3.0, &device);
            in_pool(2, || compare(all, Some(bias)));
        }
    }
}

#[test]
fn transposed_and_expanded_inputs() {
    let (_, device) = devices();
    let [q, _, v] = inputs([2, 3, 7, 9, 16], false, 3, &device);
    let k = random([2, 3, 16, 9], 5, 1.0, &device).swap_dims(2, 3);
    compare([q.clone(), k.clone(), v.clone()], Some(random([1, 3, 7, 9], 6, 1.0, &device)));
    compare(
        [q.clone(), k.clone(), v.clone()],
        Some(random([1, 3, 9, 7], 6, 1.0, &device).swap_dims(2, 3)),
    );
    let (plain_device, _) = devices();
    let q = random([1, 3, 7, 16], 8, 1.0, &plain_device).expand([2, 3, 7, 16]);
    let (k, v) = (k.inner(), v.inner());
    close(
        &values(attention(q.clone(), k.clone(), v.clone(), AttentionOptions::new(0.3))),
        &values(plain(q, k, v, None, 0.3)),
        1e-5,
    );
}

#[test]
fn derivatives() {
    let (_, device) = devices();
    let [q, k, v] = inputs([1, 2, 3, 4, 5], false, 3, &device);
    let bias = random([1, 2, 1, 4], 6, 1.0, &device);
    finite_differences(q.clone(), |q| {
        attention(q, k.clone(), v.clone(), AttentionOptions::new(0.5).bias(bias.clone()))
    });
    finite_differences(k.clone(), |k| {
        attention(q.clone(), k, v.clone(), AttentionOptions::new(0.5).bias(bias.clone()))
    });
    finite_differences(v.clone(), |v| {
        attention(q.clone(), k.clone(), v, AttentionOptions::new(0.5).bias(bias.clone()))
    });
    finite_differences(q, |x| attention(x.clone(), x.clone(), x, AttentionOptions::new(0.5)));
}

#[test]
fn masks() {
    let (_, device) = devices();
    let all = inputs([2, 2, 3, 5, 8], true, 3, &device);
    let mut mask = vec![0.0; 2 * 3 * 5];
    mask[..5].fill(-1e4);
    mask[6] = -1e4;
    mask[20..24].fill(-1e4);
    let mask = Tensor::<1>::from_floats(mask.as_slice(), &device).reshape([2, 1, 3, 5]);
    compare(all.clone(), Some(mask.clone()));
    compare(all.clone(), Some(mask.clone() * -1.0));
    // A row that is hidden by minus infinity is NaN in both.
    let [q, k, v] = all.map(Tensor::inner);
    let mask = mask.inner() * f32::INFINITY;
    let mask = mask.clone().mask_fill(mask.is_nan(), 0.0);
    let (got, want) = (
        attention(q.clone(), k.clone(), v.clone(), AttentionOptions::new(0.3).bias(mask.clone())),
        plain(q, k, v, Some(mask), 0.3),
    );
    close(&values(got), &values(want), 1e-5);
}

#[test]
fn a_bias_that_is_trained_gets_its_gradient() {
    let (_, device) = devices();
    let [q, k, v] = inputs([2, 3, 4, 5, 8], true, 3, &device);
    let bias = random([1, 3, 4, 5], 6, 1.0, &device);
    let (got, [slope]) = with_gradients([bias.clone()], |[b]| {
        attention(q.clone(), k.clone(), v.clone(), AttentionOptions::new(0.3).bias(b))
    });
    let (want, [wanted]) =
        with_gradients([bias], |[b]| plain(q.clone(), k.clone(), v.clone(), Some(b), 0.3));
    close(&got, &want, 1e-5);
    close(&slope, &wanted, 1e-5);
}

#[test]
fn only_some_inputs_are_tracked() {
    let (plain_device, device) = devices();
    let all = inputs([5, 3, 4, 9, 8], true, 3, &device);
    let constants = all.clone().map(Tensor::inner);
    let (_, wanted) = with_gradients(all.clone(), |[q, k, v]| plain(q, k, v, None, 0.3));
    for i in 0..3 {
        let (_, [got]) = with_gradients([all[i].clone()], |[x]| {
            // Constants of the plain device among them.
            let mut all = constants.clone();
            all[i] = x;
            let [q, k, v] = all;
            attention(
                q,
                k,
                v,
                AttentionOptions::new(0.3).bias(Tensor::zeros([1, 1, 1, 9], &plain_device)),
            )
        });
        close(&got, &wanted[i], 1e-5);
    }
    let [q, k, v] = all;
    assert_eq!(values(attention(q, k, v, AttentionOptions::new(0.3))).len(), 5 * 3 * 4 * 8);
}

#[test]
fn the_output_is_an_ordinary_tensor() {
    let (_, device) = devices();
    let all = inputs([5, 3, 4, 6, 8], true, 3, &device);
    let merge = |x: Tensor<4>| {
        let [b, h, t, d] = x.dims();
        x.swap_dims(1, 2).reshape([b, t, h * d])
    };
    let (got, slopes) = with_gradients(all.clone(), |[q, k, v]| {
        merge(attention(q.clone(), k, v, AttentionOptions::new(0.3)) * 2.0 + q)
    });
    let (want, wanted) =
        with_gradients(all, |[q, k, v]| merge(plain(q.clone(), k, v, None, 0.3) * 2.0 + q));
    close(&got, &want, 1e-5);
    slopes.iter().zip(&wanted).for_each(|(got, want)| close(got, want, 3e-5));
}

#[test]
fn a_sample_is_the_same_alone_in_a_batch_and_for_any_number_of_threads() {
    let (_, device) = devices();
    let all = inputs([6, 4, 33, 65, 32], true, 3, &device);
    let bias = random([6, 1, 1, 65], 9, 2.0, &device);
    let run = |from: usize, to: usize| {
        let cut = |x: Tensor<4>| x.narrow(0, from, to - from);
        let inputs = all.clone().map(|x| cut(x).detach().require_grad());
        let [q, k, v] = inputs.clone();
        let y = attention(q, k, v, AttentionOptions::new(0.3).bias(cut(bias.clone())));
        let weights = random([1, 4, 33, 32], 78, 1.0, &y.device());
        let mut gradients = (y.clone() * weights).sum().backward();
        let slopes = inputs.map(|x| values(x.grad_remove(&mut gradients).unwrap()));
        (values(y), slopes)
    };
    let one = in_pool(1, || run(0, 6));
    assert_eq!(one, in_pool(2, || run(0, 6)));
    for sample in [0, 5] {
        let (y, slopes) = run(sample, sample + 1);
        assert_eq!(y, one.0[sample * y.len()..][..y.len()]);
        for (slope, all) in slopes.iter().zip(&one.1) {
            assert_eq!(slope, &all[sample * slope.len()..][..slope.len()]);
        }
    }
}

/// The result and gradients equal those of gathering keys and values first, whichever samples are
/// attended to and how often.
#[test]
fn rows_are_what_gathering_gives() {
    let (_, device) = devices();
    let scale = 0.3;
    for (rows, sizes) in [
        (vec![2, 0, 2, 2, 1, 0, 2], [4, 3, 9, 21, 16]),
        (vec![1, 1], [2, 2, 5, 8, 8]),
        (vec![0; 5], [1, 6, 64, 257, 64]),
    ] {
        let [sources, heads, queries, keys, width] = sizes;
        let q = random([rows.len(), heads, queries, width], 3, 1.0, &device);
        let [_, k, v] = inputs([sources, heads, queries, keys, width], true, 4, &device);
        let bias = random([rows.len(), 1, 1, keys], 5, 3.0, &device);
        let ids = Tensor::<1, burn::tensor::Int>::from_data(
            burn::tensor::TensorData::new(
                rows.iter().map(|&row| row as i64).collect::<Vec<_>>(),
                [rows.len()],
            ),
            &device,
        );
        let gathered = |[q, k, v]: [Tensor<4>; 3]| {
            plain(q, k.select(0, ids.clone()), v.select(0, ids.clone()), Some(bias.clone()), scale)
        };
        let of_rows = |[q, k, v]: [Tensor<4>; 3]| {
            attention(q, k, v, AttentionOptions::new(scale).bias(bias.clone()).rows(&rows[..]))
        };
        let all = [q, k, v];
        let (want, wanted) = with_gradients(all.clone(), gathered);
        for threads in [1, 2] {
            let (got, slopes) = in_pool(threads, || with_gradients(all.clone(), of_rows));
            close(&got, &want, 1e-5);
            slopes.iter().zip(&wanted).for_each(|(got, want)| close(got, want, 3e-5));
        }
    }
}

/// So many probabilities that they are made again for the backward pass.
#[test]
fn probabilities_that_are_not_kept() {
    let (_, device) = devices();
    let all = inputs([3, 6, 250, 257, 8], true, 9, &device);
    compare(all, Some(random([3, 1, 1, 257], 4, 3.0, &device)));
}

/// Dropout on the probabilities is the mask times them, in the value and in all gradients, kept or
/// made again.
#[test]
fn dropout_on_probabilities() {
    let (_, device) = devices();
    for [batch, heads, queries, keys, width] in
        [[2, 2, 5, 9, 8], [5, 3, 12, 21, 16], [3, 6, 250, 257, 8]]
    {
        let elements: Vec<u8> =
            (0..batch * heads * queries * keys).map(|i| u8::from((i * 7) % 10 != 0)).collect();
        let mask: Vec<f32> = elements.iter().map(|&stays| f32::from(stays) * 1.25).collect();
        let mask = Tensor::<4>::from_data(
            burn::tensor::TensorData::new(mask, [batch, heads, queries, keys]),
            &device,
        );
        let keep = toolkit_kernels::DropoutMask { keep: elements.into(), scale: 1.25 };
        let all = inputs([batch, heads, queries, keys, width], true, 3, &device);
        let ours = |[q, k, v]: [Tensor<4>; 3]| {
            attention(q, k, v, AttentionOptions::new(0.3).dropout(keep.clone()))
        };
        let plain = |[q, k, v]: [Tensor<4>; 3]| {
            (activation::softmax(q.matmul(k.swap_dims(2, 3)) * 0.3, 3) * mask.clone()).matmul(v)
        };
        let (want, wanted) = with_gradients(all.clone(), plain);
        let (got, slopes) = in_pool(2, || with_gradients(all, ours));
        close(&got, &want, 1e-5);
        slopes.iter().zip(&wanted).for_each(|(got, want)| close(got, want, 3e-5));
    }
}
