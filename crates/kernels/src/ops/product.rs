//! A product of two matrices as one node of the graph.
//!
//! Unlike burn's product, this one adds the gradient of the right factor directly to its
//! accumulator, where there is one: the gradient takes no memory of its own.

use burn::tensor::Tensor;
use burn_flex::FlexTensor;

use crate::cpu::buffer::contiguous;
use crate::graph::{self, Fused, GradientAccumulator};
use crate::matmul::factor::Factor;
use crate::matmul::product::{add_product, product};

/// Computes `x w`, or `x w'` if `w` is `transposed`.
pub(super) fn times(x: Tensor<2>, w: Tensor<2>, transposed: bool) -> Tensor<2> {
    let primitive =
        |x: Tensor<2>, w: Tensor<2>| x.matmul(if transposed { w.transpose() } else { w });
    let inputs = w.dims()[usize::from(transposed)];
    if x.dims()[1] != inputs || x.shape().num_elements() * w.shape().num_elements() == 0 {
        return primitive(x, w);
    }
    match graph::run(Product { transposed }, [x.into_dispatch(), w.into_dispatch()]) {
        Ok(y) => Tensor::from_dispatch(y),
        Err([x, w]) => primitive(Tensor::from_dispatch(x), Tensor::from_dispatch(w)),
    }
}

/// Computes `x w` with a constant matrix of bf16, or `x w'` if `w` is `transposed`; `None` if it is
/// no such matrix.
///
/// Sums are those of the widened matrix. Only `x` has a gradient.
pub(super) fn times_bf16(x: &Tensor<2>, w: &Tensor<2>, transposed: bool) -> Option<Tensor<2>> {
    let inputs = w.dims()[usize::from(transposed)];
    let (x_, w_) = (x.clone().into_dispatch(), w.clone().into_dispatch());
    let empty = x.shape().num_elements() * w.shape().num_elements() == 0;
    let w = graph::constant_bf16(&w_).filter(|_| x.dims()[1] == inputs && !empty)?;
    let op = ByConstant { w, product: Product { transposed } };
    graph::run(op, [x_]).ok().map(Tensor::from_dispatch)
}

/// A product with a right factor that has no gradient and may be of another type.
#[derive(Clone, Debug)]
struct ByConstant {
    w: FlexTensor,
    product: Product,
}

impl Fused<1> for ByConstant {
    type Saved = ();

    fn forward(&self, [x]: [FlexTensor; 1], save: bool) -> (FlexTensor, Option<()>) {
        let w = self.product.weight(self.w.clone());
        (product(Factor::new(x), w), save.then_some(()))
    }

    fn backward(&self, (): (), grad: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        let w = self.product.weight(self.w.clone());
        [Some(product(Factor::new(grad), w.transposed()))]
    }
}

/// `x [rows, in]` with `w [in, out]`, or `w [out, in]` if it is `transposed`.
#[derive(Clone, Debug)]
struct Product {
    transposed: bool,
}

/// The factors: each is saved if the gradient of the other is wanted.
#[derive(Clone, Debug)]
struct Factors {
    x: Option<FlexTensor>,
    w: Option<FlexTensor>,
}

impl Product {
    fn weight(&self, w: FlexTensor) -> Factor {
        if self.transposed { Factor::new(w).transposed() } else { Factor::new(w) }
    }

    /// Returns the factors of the gradient of `w`, in its memory layout.
    fn by_weight(&self, x: FlexTensor, grad: FlexTensor) -> [Factor; 2] {
        let (x, grad) = (Factor::new(x), Factor::new(grad));
        if self.transposed { [grad.transposed(), x] } else { [x.transposed(), grad] }
    }
}

impl Fused<2> for Product {
    type Saved = Factors;

    fn forward(&self, inputs: [FlexTensor; 2], save: bool) -> (FlexTensor, Option<Factors>) {
        self.forward_for(inputs, [save; 2])
    }

    fn forward_for(
        &self,
        inputs: [FlexTensor; 2],
        wanted: [bool; 2],
    ) -> (FlexTensor, Option<Factors>) {
        let [x, w] = inputs.map(contiguous);
        let y = product(Factor::new(x.clone()), self.weight(w.clone()));
        let saved = Factors { x: wanted[1].then_some(x), w: wanted[0].then_some(w) };
        (y, wanted.contains(&true).then_some(saved))
    }

    fn backward(&self, saved: Factors, grad: FlexTensor, _: [bool; 2]) -> [Option<FlexTensor>; 2] {
        self.backward_into(saved, grad, [true; 2], [None, None])
    }

    fn backward_into(
        &self,
        saved: Factors,
        grad: FlexTensor,
        _: [bool; 2],
        accumulators: [Option<&GradientAccumulator>; 2],
    ) -> [Option<FlexTensor>; 2] {
        let grad = contiguous(grad);
        let by_x = saved.w.map(|w| product(Factor::new(grad.clone()), self.weight(w).transposed()));
        let by_w = saved.x.and_then(|x| {
            let [a, b] = self.by_weight(x, grad);
            let Some(accumulator) = accumulators[1] else { return Some(product(a, b)) };
            accumulator.update(|sum| match sum {
                Some(sum) => {
                    let mut sum = contiguous(sum);
                    add_product(a, b, sum.storage_mut());
                    sum
                }
                None => product(a, b),
            });
            None
        });
        [by_x, by_w]
    }
}
