//! Rows, each times a number of its own.

use burn::tensor::{Shape, Tensor};
use burn_flex::FlexTensor;

use crate::cpu::buffer::{contiguous, tensor, width};
use crate::cpu::simd::{Kernel, Simd, vectorised};
use crate::cpu::vector::dot;
use crate::graph::{self, Fused};

/// Multiplies each row of `x [rows, width]` by its number of `scale [rows]`.
// The gradient of `scale` is a sum over each row, which burn adds up in as many lanes as the
// registers of the machine have.
#[must_use]
pub fn scale_rows(x: Tensor<2>, scale: Tensor<1>) -> Tensor<2> {
    let primitive = |x: Tensor<2>, scale: Tensor<1>| x * scale.unsqueeze_dim::<2>(1);
    if x.shape().num_elements() == 0 || x.dims()[0] != scale.dims()[0] {
        return primitive(x, scale);
    }
    match graph::run(ScaleRows, [x.into_dispatch(), scale.into_dispatch()]) {
        Ok(y) => Tensor::from_dispatch(y),
        Err([x, scale]) => primitive(Tensor::from_dispatch(x), Tensor::from_dispatch(scale)),
    }
}

/// `x [rows, width] * scale [rows, 1]`.
#[derive(Clone, Debug)]
struct ScaleRows;

/// Multiplies rows by their scale.
struct Scale<'a>(&'a mut [f32], &'a [f32]);

impl Kernel for Scale<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let width = self.0.len() / self.1.len();
        for (row, scale) in self.0.chunks_exact_mut(width).zip(self.1) {
            for x in row {
                *x *= scale;
            }
        }
    }
}

/// Computes the sum of products of each two rows.
struct Dots<'a>([&'a [f32]; 2], &'a mut [f32]);

impl Kernel for Dots<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self([x, y], dots) = self;
        let width = x.len() / dots.len();
        for ((x, y), dot_of) in x.chunks_exact(width).zip(y.chunks_exact(width)).zip(dots) {
            *dot_of = dot(simd, x, y);
        }
    }
}

impl Fused<2> for ScaleRows {
    /// The input if the gradient of the scale is wanted, and the scale if that of the input is.
    type Saved = [Option<FlexTensor>; 2];

    fn forward(&self, inputs: [FlexTensor; 2], save: bool) -> (FlexTensor, Option<Self::Saved>) {
        self.forward_for(inputs, [save; 2])
    }

    fn forward_for(
        &self,
        inputs: [FlexTensor; 2],
        wanted: [bool; 2],
    ) -> (FlexTensor, Option<Self::Saved>) {
        let [x, scale] = inputs.map(contiguous);
        let mut y = x.clone();
        let x = wanted[1].then_some(x);
        vectorised(Scale(y.storage_mut(), scale.storage()));
        let saved = [x, wanted[0].then_some(scale)];
        (y, wanted.contains(&true).then_some(saved))
    }

    fn backward(
        &self,
        [x, scale]: Self::Saved,
        grad: FlexTensor,
        _: [bool; 2],
    ) -> [Option<FlexTensor>; 2] {
        let mut grad = contiguous(grad);
        let by_scale = x.map(|x| {
            let rows = x.layout().num_elements() / width(&x);
            let mut dots = vec![0.0; rows];
            vectorised(Dots([x.storage(), grad.storage()], &mut dots));
            tensor(dots, Shape::new([rows]))
        });
        let by_x = scale.map(|scale| {
            vectorised(Scale(grad.storage_mut(), scale.storage()));
            grad
        });
        [by_x, by_scale]
    }
}
