//! Products of rows with a matrix of weights.

use burn::tensor::{Shape, Tensor};

use super::{add_bias, product};
use crate::cpu::buffer::tensor;
use crate::graph;
use crate::matmul::{BlockMatrix, quantized};

/// Computes `x w + bias`: `x [rows, in]`, `w [in, out]`, `bias [out]`.
///
/// A row has the same bits beside any number of other rows. `w` may be of another number type than
/// `x`: bf16 is widened where it is read, another float type one matrix at a time. A matrix of
/// blocks ([`BlockMatrix::into_weight`]) is multiplied in integers, unless `x` has a gradient; then
/// it is widened too.
#[must_use]
pub fn linear(x: Tensor<2>, w: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    let y = match BlockMatrix::of_weight(&w) {
        Some(w) => times_blocks(x, &w),
        None => times(x, w, false),
    };
    match bias {
        Some(bias) => add_bias(y, bias),
        None => y,
    }
}

/// Computes `x w'`: `x [rows, in]`, `w [out, in]`, such as a head that is tied to a table of
/// embeddings. A matrix of blocks ([`BlockMatrix::into_table`]) is treated as in [`linear`].
#[must_use]
pub fn times_transposed(x: Tensor<2>, w: Tensor<2>) -> Tensor<2> {
    match BlockMatrix::of_table(&w) {
        Some(w) => times_blocks(x, &w),
        None => times(x, w, true),
    }
}

/// Computes `x w`, or `x w'` if `w` is `transposed`, for a float type of `w`.
fn times(x: Tensor<2>, w: Tensor<2>, transposed: bool) -> Tensor<2> {
    if let Some(y) = product::times_bf16(&x, &w, transposed) {
        return y;
    }
    let w = if w.dtype() == x.dtype() { w } else { w.cast(x.dtype()) };
    product::times(x, w, transposed)
}

/// Computes `x w'` for a matrix of blocks.
fn times_blocks(x: Tensor<2>, w: &BlockMatrix) -> Tensor<2> {
    let ([rows, inputs], [outputs, columns]) = (x.dims(), w.shape());
    assert_eq!(inputs, columns, "rows as wide as those of the matrix");
    let Some(x) = graph::constant_matrix(&x).filter(|_| rows > 0) else {
        return product::times(x, w.widen(), true);
    };
    let y = tensor(quantized::times(x, w, rows), Shape::new([rows, outputs]));
    Tensor::from_dispatch(graph::plain(y))
}
