//! Products of rows with a matrix of weights.

use burn::tensor::{Shape, Tensor};
use burn_flex::FlexTensor;

use super::add_bias;
use crate::cpu::buffer::tensor;
use crate::graph;
use crate::matmul::{eight_bit, product::Product, streamed};

/// Computes `x w + bias`: `x [rows, in]`, `w [in, out]`, `bias [out]`.
///
/// `w` may have another number type than `x` ([`crate::cast`]). A type without a product of its own
/// is widened, one matrix at a time.
///
/// `streaming` selects a product that reads the matrix once, front to back: use it if the rows are
/// one token of each of several texts, as in generation. The order of its sums differs from the
/// usual product's. The caller selects it, and not the number of rows, so that a row's last bits do
/// not depend on how many others there are.
#[must_use]
pub fn linear(x: Tensor<2>, w: Tensor<2>, bias: Option<Tensor<1>>, streaming: bool) -> Tensor<2> {
    let [inputs, outputs] = w.dims();
    let quantized = eight_bit::is(&w);
    let w = if quantized || w.dtype() == x.dtype() { w } else { w.cast(x.dtype()) };
    let y = match (streaming && inputs == x.dims()[1], quantized) {
        (false, _) => None,
        (true, false) => graph::constant_matrix(&w)
            .and_then(|w| stream(&x, outputs, |x, rows| streamed::times(x, w, rows, outputs))),
        (true, true) => eight_bit::blocks(&w)
            .and_then(|w| stream(&x, outputs, |x, rows| eight_bit::times(x, w, rows, outputs))),
    };
    let y = y.unwrap_or_else(|| product(x, if quantized { eight_bit::widen(w) } else { w }, false));
    match bias {
        Some(bias) => add_bias(y, bias),
        None => y,
    }
}

/// Computes `x w'`: `x [rows, in]`, `w [out, in]`, such as a head that is tied to a table of
/// embeddings. `streaming` is as in [`linear`].
#[must_use]
pub fn times_transposed(x: Tensor<2>, w: Tensor<2>, streaming: bool) -> Tensor<2> {
    let [outputs, inputs] = w.dims();
    let constant =
        if streaming && inputs == x.dims()[1] { graph::constant_matrix(&w) } else { None };
    constant
        .and_then(|w| {
            stream(&x, outputs, |x, rows| streamed::times_transposed(x, w, rows, outputs))
        })
        .unwrap_or_else(|| product(x, w, true))
}

/// Computes `x w`, or `x w'` if `w` is `transposed`.
fn product(x: Tensor<2>, w: Tensor<2>, transposed: bool) -> Tensor<2> {
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

/// Returns the product `f(x, rows)` of `x [rows, in]` with a matrix, as `[rows, outputs]`; `None`
/// if `x` has a gradient or a size is 0.
fn stream(
    x: &Tensor<2>,
    outputs: usize,
    f: impl FnOnce(FlexTensor, usize) -> Vec<f32>,
) -> Option<Tensor<2>> {
    let [rows, inputs] = x.dims();
    let x = graph::constant_matrix(x).filter(|_| rows * inputs * outputs > 0)?;
    let y = tensor(f(x, rows), Shape::new([rows, outputs]));
    Some(Tensor::from_dispatch(graph::plain(y)))
}
