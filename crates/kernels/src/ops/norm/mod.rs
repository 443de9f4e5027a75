//! Layer normalisation, and root-mean-square normalisation as the same without mean and bias.

mod rows;

use std::sync::Arc;

use burn::tensor::{Shape, Tensor, module};
use burn_flex::FlexTensor;
use rayon::prelude::*;

use crate::cpu::buffer::{
    block_of_rows, build, contiguous, each_block_summed, parallel, tensor, width,
};
use crate::cpu::simd::vectorised;
use crate::graph::{self, Fused};
use rows::{Apply, Backward, Statistics};

/// Computes layer normalisation over the last dimension: `(x - mean) / sqrt(var + eps) * weight +
/// bias`, with the biased variance.
#[must_use]
pub fn layer_norm<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    eps: f64,
) -> Tensor<D> {
    let primitive = |x, weight, bias| module::layer_norm(x, weight, Some(bias), eps);
    if x.shape().num_elements() == 0 {
        return primitive(x, weight, bias);
    }
    let inputs = [x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch()];
    match graph::run(LayerNorm { eps: eps as f32 }, inputs) {
        Ok(y) => Tensor::from_dispatch(y),
        Err([x, weight, bias]) => primitive(
            Tensor::from_dispatch(x),
            Tensor::from_dispatch(weight),
            Tensor::from_dispatch(bias),
        ),
    }
}

/// Computes root-mean-square normalisation over the last dimension (T5): `x / sqrt(mean(x^2) + eps)
/// * weight`.
#[must_use]
pub fn rms_norm<const D: usize>(x: Tensor<D>, weight: Tensor<1>, eps: f64) -> Tensor<D> {
    let primitive = |x: Tensor<D>, weight: Tensor<1>| {
        let square = (x.clone() * x.clone()).mean_dim(D - 1);
        x / (square + eps).sqrt() * weight.unsqueeze()
    };
    if x.shape().num_elements() == 0 {
        return primitive(x, weight);
    }
    match graph::run(RmsNorm { eps: eps as f32 }, [x.into_dispatch(), weight.into_dispatch()]) {
        Ok(y) => Tensor::from_dispatch(y),
        Err([x, weight]) => primitive(Tensor::from_dispatch(x), Tensor::from_dispatch(weight)),
    }
}

/// State for the backward pass: the input, the weight, and for each row its mean and `1 /
/// sqrt(variance + eps)`.
#[derive(Clone, Debug)]
struct Saved {
    x: FlexTensor,
    weight: FlexTensor,
    rows: Arc<Vec<[f32; 2]>>,
}

/// `(x - mean) / sqrt(var + eps) * weight + bias` over the last dimension, variance biased.
#[derive(Clone, Debug)]
struct LayerNorm {
    eps: f32,
}

/// `x / sqrt(mean(x^2) + eps) * weight` over the last dimension.
#[derive(Clone, Debug)]
struct RmsNorm {
    eps: f32,
}

/// Runs the forward pass of both; `bias` is empty for [`RmsNorm`].
fn forward<const CENTRED: bool>(
    x: FlexTensor,
    weight: FlexTensor,
    bias: &[f32],
    eps: f32,
    save: bool,
) -> (FlexTensor, Option<Saved>) {
    let (x, weight) = (contiguous(x), contiguous(weight));
    let width = width(&x);
    let (values, scale): (&[f32], &[f32]) = (x.storage(), weight.storage());
    assert_eq!(scale.len(), width, "a weight of {} for rows of {width}", scale.len());
    let mut rows = vec![[0.0; 2]; values.len() / width];
    let block = block_of_rows(width);
    let statistics = |(x, rows): (&[f32], &mut [[f32; 2]])| {
        let scratch = &mut vec![0.0; width];
        vectorised(Statistics::<CENTRED> { x, width, eps, rows, scratch });
    };
    if parallel(values.len()) {
        values.par_chunks(block).zip(rows.par_chunks_mut(block / width)).for_each(statistics);
    } else {
        statistics((values, &mut rows));
    }
    let out = build(values.len(), block, |at, out| {
        let x = &values[at..at + out.len()];
        vectorised(Apply::<CENTRED> { x, rows: &rows[at / width..], weight: scale, bias, out });
    });
    let out = tensor(out, x.layout().shape().clone());
    let saved = save.then(|| Saved { x, weight, rows: Arc::new(rows) });
    (out, saved)
}

/// Runs the backward pass of both. Returns the gradient of the input, and those of weight and bias
/// one after the other.
fn backward<const CENTRED: bool>(saved: &Saved, grad: FlexTensor) -> (FlexTensor, Vec<f32>) {
    let mut grad = contiguous(grad);
    let (x, weight): (&[f32], &[f32]) = (saved.x.storage(), saved.weight.storage());
    let width = weight.len();
    let sums = each_block_summed(
        grad.storage_mut(),
        block_of_rows(width),
        2 * width,
        |at, grad, partial| {
            let (x, rows) = (&x[at..at + grad.len()], &saved.rows[at / width..]);
            let scratch = &mut vec![0.0; width];
            vectorised(Backward::<CENTRED> { grad, x, rows, weight, partial, scratch });
        },
    );
    (grad, sums)
}

impl Fused<3> for LayerNorm {
    type Saved = Saved;

    fn forward(
        &self,
        [x, weight, bias]: [FlexTensor; 3],
        save: bool,
    ) -> (FlexTensor, Option<Saved>) {
        let bias = contiguous(bias);
        forward::<true>(x, weight, bias.storage(), self.eps, save)
    }

    fn backward(&self, saved: Saved, grad: FlexTensor, _: [bool; 3]) -> [Option<FlexTensor>; 3] {
        let (grad, mut sums) = backward::<true>(&saved, grad);
        let bias = sums.split_off(sums.len() / 2);
        let shape = Shape::new([bias.len()]);
        [Some(grad), Some(tensor(sums, shape.clone())), Some(tensor(bias, shape))]
    }
}

impl Fused<2> for RmsNorm {
    type Saved = Saved;

    fn forward(&self, [x, weight]: [FlexTensor; 2], save: bool) -> (FlexTensor, Option<Saved>) {
        forward::<false>(x, weight, &[], self.eps, save)
    }

    fn backward(&self, saved: Saved, grad: FlexTensor, _: [bool; 2]) -> [Option<FlexTensor>; 2] {
        let (grad, mut sums) = backward::<false>(&saved, grad);
        sums.truncate(sums.len() / 2);
        let shape = Shape::new([sums.len()]);
        [Some(grad), Some(tensor(sums, shape))]
    }
}
