//! Sums: a residual, and a bias on every row.

use burn::tensor::{Shape, Tensor};
use burn_flex::FlexTensor;

use crate::cpu::add::{AddTo, add_in_place};
use crate::cpu::buffer::{block_of_rows, contiguous, each_block, each_block_summed, tensor};
use crate::cpu::simd::{Kernel, Simd, vectorised};
use crate::graph::{self, Fused};

/// Adds two tensors of one shape.
#[must_use]
pub fn add<const D: usize>(x: Tensor<D>, y: Tensor<D>) -> Tensor<D> {
    if x.dims() != y.dims() || x.shape().num_elements() == 0 {
        return x + y;
    }
    match graph::run(Add, [x.into_dispatch(), y.into_dispatch()]) {
        Ok(sum) => Tensor::from_dispatch(sum),
        Err([x, y]) => Tensor::from_dispatch(x) + Tensor::<D>::from_dispatch(y),
    }
}

/// Adds `bias [width]` to every row of `x [rows, width]`.
#[must_use]
pub fn add_bias(x: Tensor<2>, bias: Tensor<1>) -> Tensor<2> {
    if x.shape().num_elements() == 0 || x.dims()[1] != bias.dims()[0] {
        return x + bias.unsqueeze();
    }
    match graph::run(AddBias, [x.into_dispatch(), bias.into_dispatch()]) {
        Ok(y) => Tensor::from_dispatch(y),
        Err([x, bias]) => {
            Tensor::<2>::from_dispatch(x) + Tensor::<1>::from_dispatch(bias).unsqueeze()
        }
    }
}

/// Adds the rows of the first slice to the second.
struct AddUp<'a>(&'a [f32], &'a mut [f32]);

impl Kernel for AddUp<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for row in self.0.chunks(self.1.len()) {
            for (total, x) in self.1.iter_mut().zip(row) {
                *total += x;
            }
        }
    }
}

/// `x [.., width] + bias [width]`.
#[derive(Clone, Debug)]
struct AddBias;

impl Fused<2> for AddBias {
    type Saved = ();

    fn forward(&self, [x, bias]: [FlexTensor; 2], save: bool) -> (FlexTensor, Option<()>) {
        let (mut x, bias) = (contiguous(x), contiguous(bias));
        let bias: &[f32] = bias.storage();
        each_block(x.storage_mut(), block_of_rows(bias.len()), |_, rows| {
            vectorised(AddTo(rows, bias))
        });
        (x, save.then_some(()))
    }

    fn backward(&self, (): (), grad: FlexTensor, [x, bias]: [bool; 2]) -> [Option<FlexTensor>; 2] {
        let mut grad = contiguous(grad);
        let bias = bias.then(|| {
            let width = grad.layout().shape()[grad.layout().shape().num_dims() - 1];
            let sum = column_sums(grad.storage_mut(), width);
            tensor(sum, Shape::new([width]))
        });
        [x.then_some(grad), bias]
    }
}

/// Returns the sum of each column of rows of `width`.
fn column_sums(values: &mut [f32], width: usize) -> Vec<f32> {
    // A block has enough rows that adding up the blocks' sums costs little.
    let block = block_of_rows(width).max(64 * width);
    each_block_summed(values, block, width, |_, rows, sum| vectorised(AddUp(rows, sum)))
}

/// `x + y` of one shape.
#[derive(Clone, Debug)]
struct Add;

impl Fused<2> for Add {
    type Saved = ();

    fn forward(&self, [x, y]: [FlexTensor; 2], save: bool) -> (FlexTensor, Option<()>) {
        (add_in_place(x, y), save.then_some(()))
    }

    fn backward(&self, (): (), grad: FlexTensor, [x, y]: [bool; 2]) -> [Option<FlexTensor>; 2] {
        [x.then(|| grad.clone()), y.then_some(grad)]
    }
}
