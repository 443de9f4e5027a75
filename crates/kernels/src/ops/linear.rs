//! Products of rows with a matrix of weights.

use burn::tensor::{Shape, Tensor};

use super::{add_bias, product};
use crate::cpu::buffer::tensor;
use crate::graph;
use crate::matmul::eight_bit;

/// Most rows that are multiplied with 8-bit blocks; for more, the matrix is widened once.
const FEW_ROWS: usize = 16;

/// Computes `x w + bias`: `x [rows, in]`, `w [in, out]`, `bias [out]`.
///
/// A row has the same bits beside any number of other rows. `w` may have another number type than
/// `x` ([`crate::cast`]): bf16 is widened where it is read, another type one matrix at a time.
#[must_use]
pub fn linear(x: Tensor<2>, w: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    let y = if eight_bit::is(&w) {
        few_rows(&x, &w).unwrap_or_else(|| product::times(x, eight_bit::widen(w), false))
    } else {
        times(x, w, false)
    };
    match bias {
        Some(bias) => add_bias(y, bias),
        None => y,
    }
}

/// Computes `x w'`: `x [rows, in]`, `w [out, in]`, such as a head that is tied to a table of
/// embeddings.
#[must_use]
pub fn times_transposed(x: Tensor<2>, w: Tensor<2>) -> Tensor<2> {
    times(x, w, true)
}

/// Computes `x w`, or `x w'` if `w` is `transposed`, for a float type of `w`.
fn times(x: Tensor<2>, w: Tensor<2>, transposed: bool) -> Tensor<2> {
    if let Some(y) = product::times_bf16(&x, &w, transposed) {
        return y;
    }
    let w = if w.dtype() == x.dtype() { w } else { w.cast(x.dtype()) };
    product::times(x, w, transposed)
}

/// Computes `x w` with 8-bit blocks; `None` if there are many rows, or if `x` has a gradient.
fn few_rows(x: &Tensor<2>, w: &Tensor<2>) -> Option<Tensor<2>> {
    let ([rows, inputs], [_, outputs]) = (x.dims(), w.dims());
    let blocks = eight_bit::blocks(w)?;
    let x =
        graph::constant_matrix(x).filter(|_| rows <= FEW_ROWS && rows * inputs * outputs > 0)?;
    let y = eight_bit::times(x, blocks, rows, outputs);
    Some(Tensor::from_dispatch(graph::plain(tensor(y, Shape::new([rows, outputs])))))
}
