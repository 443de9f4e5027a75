//! Rows of a table of vectors.

use std::sync::Arc;

use burn::tensor::{Int, Shape, Tensor, module};
use burn_flex::FlexTensor;

use crate::cpu::buffer::{contiguous, indices, tensor};
use crate::graph::{self, Fused, GradientAccumulator};
use crate::matmul::BlockMatrix;

/// Looks up the rows `ids [batch, tokens]` of a table `[rows, width]`: `[batch, tokens, width]`.
///
/// # Panics
/// If the table has no such row.
#[must_use]
pub fn embedding(table: Tensor<2>, ids: Tensor<2, Int>) -> Tensor<3> {
    let [batch, tokens] = ids.dims();
    let [rows, width] = table.dims();
    let plain = ids.clone().into_dispatch();
    if let Some(blocks) = BlockMatrix::of_table(&table) {
        let wanted = graph::integers(&plain).and_then(|ids| indices(&ids, rows));
        let wanted = wanted.unwrap_or_else(|| unreachable!("ids on flex, as the table"));
        let values = tensor(blocks.rows(&wanted), Shape::new([batch, tokens, width]));
        return Tensor::from_dispatch(graph::plain(values));
    }
    let ids_of = |ids| indices(&ids, rows).filter(|_| batch * tokens * rows * width > 0);
    let Some(wanted) = graph::integers(&plain).and_then(ids_of) else {
        return module::embedding(table, ids);
    };
    match graph::run(Rows { ids: wanted }, [table.into_dispatch()]) {
        Ok(rows) => Tensor::<2>::from_dispatch(rows).reshape([batch, tokens, width]),
        Err([table]) => module::embedding(Tensor::from_dispatch(table), ids),
    }
}

/// Rows `ids` of a table.
#[derive(Clone, Debug)]
struct Rows {
    ids: Arc<[usize]>,
}

impl Rows {
    /// Adds `grad[i]` to `sum[ids[i]]`, for each `i`.
    fn add_to(&self, sum: FlexTensor, grad: &[f32]) -> FlexTensor {
        let mut sum = contiguous(sum);
        let width = grad.len() / self.ids.len();
        let all: &mut [f32] = sum.storage_mut();
        for (row, &id) in grad.chunks_exact(width).zip(&*self.ids) {
            for (sum, x) in all[id * width..][..width].iter_mut().zip(row) {
                *sum += x;
            }
        }
        sum
    }
}

impl Fused<1> for Rows {
    /// The shape of the table.
    type Saved = Shape;

    fn forward(&self, [table]: [FlexTensor; 1], save: bool) -> (FlexTensor, Option<Shape>) {
        let table = contiguous(table);
        let shape = table.layout().shape().clone();
        let (values, width): (&[f32], usize) = (table.storage(), shape[1]);
        let mut out = Vec::with_capacity(self.ids.len() * width);
        for &id in &*self.ids {
            out.extend_from_slice(&values[id * width..][..width]);
        }
        (tensor(out, Shape::new([self.ids.len(), width])), save.then_some(shape))
    }

    fn backward(
        &self,
        shape: Shape,
        grad: FlexTensor,
        wanted: [bool; 1],
    ) -> [Option<FlexTensor>; 1] {
        self.backward_into(shape, grad, wanted, [None])
    }

    fn backward_into(
        &self,
        shape: Shape,
        grad: FlexTensor,
        _: [bool; 1],
        [accumulator]: [Option<&GradientAccumulator>; 1],
    ) -> [Option<FlexTensor>; 1] {
        let grad = contiguous(grad);
        let zeros = || tensor(vec![0.0; shape.num_elements()], shape.clone());
        let Some(accumulator) = accumulator else {
            return [Some(self.add_to(zeros(), grad.storage()))];
        };
        accumulator.update(|sum| self.add_to(sum.unwrap_or_else(zeros), grad.storage()));
        [None]
    }
}
