//! Sums of tensors and rows: a bias on every row, a residual, the squares of a gradient.

use burn::tensor::Shape;
use burn_flex::FlexTensor;
use rayon::prelude::*;

use crate::buffer::{
    block_of_rows, contiguous, each_block, each_block_summed, fills_its_buffer, parallel, tensor,
};
use crate::node::Fused;
use crate::simd::{Kernel, Simd, dot, vectorised};

/// `x[i] += y[i]`, `y` as long as `x` or repeated.
struct AddTo<'a>(&'a mut [f32], &'a [f32]);

impl Kernel for AddTo<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for row in self.0.chunks_mut(self.1.len()) {
            for (x, y) in row.iter_mut().zip(self.1) {
                *x += y;
            }
        }
    }
}

/// Rows are added up into `total`.
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
pub(crate) struct AddBias;

impl Fused<2> for AddBias {
    type Saved = ();

    fn forward(&self, [x, bias]: [FlexTensor; 2], keep: bool) -> (FlexTensor, Option<()>) {
        let (mut x, bias) = (contiguous(x), contiguous(bias));
        let bias: &[f32] = bias.storage();
        each_block(x.storage_mut(), block_of_rows(bias.len()), |_, rows| {
            vectorised(AddTo(rows, bias))
        });
        (x, keep.then_some(()))
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

/// Sums of the columns of rows of `width`.
fn column_sums(values: &mut [f32], width: usize) -> Vec<f32> {
    // Enough rows in a block that adding the blocks' sums up costs little beside making them.
    let block = block_of_rows(width).max(64 * width);
    each_block_summed(values, block, width, |_, rows, sum| vectorised(AddUp(rows, sum)))
}

/// `x + y` of one shape, in the place of `x` if nobody else holds it.
pub(crate) fn add_in_place(x: FlexTensor, y: FlexTensor) -> FlexTensor {
    // Two that lie in the same other order, such as gradients of keys, are added as they lie.
    let alike = x.layout() == y.layout() && fills_its_buffer(&x) && fills_its_buffer(&y);
    let (mut x, y) = if alike { (x, y) } else { (contiguous(x), contiguous(y)) };
    let y: &[f32] = y.storage();
    each_block(x.storage_mut(), block_of_rows(1), |at, x| {
        vectorised(AddTo(x, &y[at..][..x.len()]))
    });
    x
}

/// `x + y` of one shape.
#[derive(Clone, Debug)]
pub(crate) struct Add;

impl Fused<2> for Add {
    type Saved = ();

    fn forward(&self, [x, y]: [FlexTensor; 2], keep: bool) -> (FlexTensor, Option<()>) {
        (add_in_place(x, y), keep.then_some(()))
    }

    fn backward(&self, (): (), grad: FlexTensor, [x, y]: [bool; 2]) -> [Option<FlexTensor>; 2] {
        [x.then(|| grad.clone()), y.then_some(grad)]
    }
}

/// Zero, with a given gradient.
#[derive(Clone, Debug)]
pub(crate) struct Carry(pub(crate) FlexTensor);

impl Fused<1> for Carry {
    type Saved = ();

    fn forward(&self, _: [FlexTensor; 1], keep: bool) -> (FlexTensor, Option<()>) {
        (tensor(vec![0.0], Shape::new([1])), keep.then_some(()))
    }

    fn backward(&self, (): (), grad: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        let by = contiguous(grad).storage::<f32>()[0];
        let mut carried = self.0.clone();
        if by != 1.0 {
            carried = contiguous(carried);
            carried.storage_mut::<f32>().iter_mut().for_each(|x| *x *= by);
        }
        [Some(carried)]
    }
}

struct Squares<'a>(&'a [f32], &'a mut f64);

impl Kernel for Squares<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        *self.1 = f64::from(dot(simd, self.0, self.0));
    }
}

/// The sum of squares: of blocks of fixed size, whatever the number of threads, and those added up
/// in double precision.
pub(crate) fn sum_of_squares(x: FlexTensor) -> f64 {
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
