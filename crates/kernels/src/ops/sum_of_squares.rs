//! The sum of squares, for the norm of gradients.

use burn::tensor::Tensor;
use burn_flex::FlexTensor;
use rayon::prelude::*;

use crate::cpu::buffer::{block_of_rows, contiguous, parallel};
use crate::cpu::simd::{Kernel, Simd, vectorised};
use crate::cpu::vector::dot;
use crate::graph;

/// Returns the sum of squares of a tensor without a gradient.
///
/// Blocks of 4,096 elements are summed in single precision, and their sums in double precision, in
/// an order that does not depend on the number of threads.
#[must_use]
pub fn sum_of_squares<const D: usize>(x: Tensor<D>) -> f64 {
    let x = x.into_dispatch();
    match graph::constant(&x) {
        Some(x) => in_blocks(x),
        None => f64::from(Tensor::<D>::from_dispatch(x).square().sum().into_scalar::<f32>()),
    }
}

struct Squares<'a>(&'a [f32], &'a mut f64);

impl Kernel for Squares<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        *self.1 = f64::from(dot(simd, self.0, self.0));
    }
}

/// Sums the squares of blocks of fixed size, and those sums in double precision.
fn in_blocks(x: FlexTensor) -> f64 {
    let x = contiguous(x);
    let values: &[f32] = x.storage();
    let one = |block: &[f32]| {
        let mut sum = 0.0;
        vectorised(Squares(block, &mut sum));
        sum
    };
    let block = block_of_rows(1);
    if parallel(values.len()) {
        let sums: Vec<f64> = values.par_chunks(block).map(one).collect();
        return sums.into_iter().sum();
    }
    values.chunks(block).map(one).sum()
}
