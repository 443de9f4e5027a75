//! Sums of all elements, in an order that depends on their number alone.

use burn::tensor::{Shape, Tensor};
use burn_flex::FlexTensor;
use rayon::prelude::*;

use crate::cpu::buffer::{block_of_rows, contiguous, parallel, tensor};
use crate::cpu::simd::{Kernel, Simd, vectorised};
use crate::cpu::vector;
use crate::graph::{self, Fused};

/// Adds up all elements: `[1]`.
///
/// Blocks of 4,096 elements are summed in single precision, and their sums in double precision.
// burn's sum has as many lanes as the registers of the machine.
#[must_use]
pub fn sum<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    match graph::run(Sum, [x.into_dispatch()]) {
        Ok(sum) => Tensor::from_dispatch(sum),
        Err([x]) => Tensor::<D>::from_dispatch(x).sum(),
    }
}

/// Returns the mean of all elements: `[1]`.
#[must_use]
pub fn mean<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    let count = x.shape().num_elements();
    sum(x) / count as f64
}

/// The sum of all elements.
#[derive(Clone, Debug)]
struct Sum;

struct Block<'a>(&'a [f32], &'a mut f64);

impl Kernel for Block<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        *self.1 = f64::from(vector::sum(simd, self.0));
    }
}

impl Fused<1> for Sum {
    /// The shape of the input.
    type Saved = Shape;

    fn forward(&self, [x]: [FlexTensor; 1], save: bool) -> (FlexTensor, Option<Shape>) {
        let x = contiguous(x);
        let values: &[f32] = x.storage();
        let one = |block: &[f32]| {
            let mut sum = 0.0;
            vectorised(Block(block, &mut sum));
            sum
        };
        let block = block_of_rows(1);
        let total: f64 = if parallel(values.len()) {
            let sums: Vec<f64> = values.par_chunks(block).map(one).collect();
            sums.into_iter().sum()
        } else {
            values.chunks(block).map(one).sum()
        };
        let shape = save.then(|| x.layout().shape().clone());
        (tensor(vec![total as f32], Shape::new([1])), shape)
    }

    fn backward(&self, shape: Shape, grad: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        let slope = contiguous(grad).storage::<f32>()[0];
        [Some(tensor(vec![slope; shape.num_elements()], shape))]
    }
}
