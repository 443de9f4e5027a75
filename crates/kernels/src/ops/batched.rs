//! Products of the matrices of a batch.

use burn::tensor::{Shape, Tensor};
use burn_flex::FlexTensor;

use crate::cpu::buffer::{contiguous, tensor};
use crate::graph::{self, Fused};
use crate::matmul::factor::Factor;
use crate::matmul::product::add_product;

/// Computes `a b` of each item: `a [batch, m, k]` or the same for all, `[1, m, k]`, and `b [batch,
/// k, n]` to `[batch, m, n]`.
#[must_use]
pub fn batched_product(a: Tensor<3>, b: Tensor<3>) -> Tensor<3> {
    let ([items, _, k], [batch, rows, _]) = (a.dims(), b.dims());
    let fits = (items == batch || items == 1) && rows == k;
    if !fits || a.shape().num_elements() * b.shape().num_elements() == 0 {
        return a.matmul(b);
    }
    match graph::run(Batched, [a.into_dispatch(), b.into_dispatch()]) {
        Ok(y) => Tensor::from_dispatch(y),
        Err([a, b]) => Tensor::from_dispatch(a).matmul(Tensor::<3>::from_dispatch(b)),
    }
}

/// `a_i b_i` for each item `i`.
#[derive(Clone, Debug)]
struct Batched;

/// Returns matrix `i` of a contiguous `[items, rows, columns]`, or the only one.
fn item(x: &FlexTensor, i: usize) -> Factor {
    let shape = x.layout().shape();
    let [items, rows, columns] = [shape[0], shape[1], shape[2]];
    let (size, shape) = (rows * columns, Shape::new([rows, columns]));
    if items == 1 {
        return Factor::new(x.reshape(shape));
    }
    Factor::new(tensor(x.storage()[i * size..][..size].to_vec(), shape))
}

/// Returns the products `f(i)` of all items. They are added up if there is `one` output for all.
fn products(
    [batch, rows, columns]: [usize; 3],
    one: bool,
    f: impl Fn(usize) -> [Factor; 2],
) -> FlexTensor {
    let (count, size) = (if one { 1 } else { batch }, rows * columns);
    let mut out = vec![0.0; count * size];
    for i in 0..batch {
        let at = if one { 0 } else { i * size };
        let [a, b] = f(i);
        add_product(a, b, &mut out[at..at + size]);
    }
    tensor(out, Shape::new([count, rows, columns]))
}

impl Fused<2> for Batched {
    /// The factors.
    type Saved = [FlexTensor; 2];

    fn forward(&self, inputs: [FlexTensor; 2], save: bool) -> (FlexTensor, Option<Self::Saved>) {
        let [a, b] = inputs.map(contiguous);
        let [left, right] = [&a, &b].map(|x| x.layout().shape().clone());
        let shape = [right[0], left[1], right[2]];
        let y = products(shape, false, |i| [item(&a, i), item(&b, i)]);
        (y, save.then_some([a, b]))
    }

    fn backward(
        &self,
        [a, b]: Self::Saved,
        grad: FlexTensor,
        wanted: [bool; 2],
    ) -> [Option<FlexTensor>; 2] {
        let grad = contiguous(grad);
        let [shape, left] = [&grad, &a].map(|x| x.layout().shape().clone());
        let [batch, rows, columns] = [shape[0], shape[1], shape[2]];
        let by_a = wanted[0].then(|| {
            let one = left[0] == 1;
            products([batch, rows, left[2]], one, |i| [item(&grad, i), item(&b, i).transposed()])
        });
        let by_b = wanted[1].then(|| {
            let shape = [batch, left[2], columns];
            products(shape, false, |i| [item(&a, i).transposed(), item(&grad, i)])
        });
        [by_a, by_b]
    }
}
