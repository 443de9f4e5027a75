//! Factors of a product.

use burn_flex::FlexTensor;

use super::Matrix;
use super::element::Values;
use crate::cpu::buffer::contiguous;

/// A factor that owns its values: threads that outlive a call may hold it.
#[derive(Clone, Debug)]
pub(crate) struct Factor {
    data: FlexTensor,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) strides: [usize; 2],
}

impl Factor {
    /// Takes a matrix `[rows, columns]` of f32; a right factor may be one of bf16.
    pub(crate) fn new(data: FlexTensor) -> Self {
        let data = contiguous(data);
        let shape = data.layout().shape();
        let (rows, columns) = (shape[0], shape[1]);
        Self { data, rows, columns, strides: [columns, 1] }
    }

    /// Returns the transposed matrix.
    pub(crate) fn transposed(self) -> Self {
        let Self { data, rows, columns, strides: [row, column] } = self;
        Self { data, rows: columns, columns: rows, strides: [column, row] }
    }

    /// Returns the matrix as a left factor.
    pub(super) fn left(&self) -> Matrix<&[f32]> {
        self.with(self.data.storage())
    }

    /// Returns the matrix as a right factor.
    pub(super) fn right(&self) -> Matrix<Values<'_>> {
        self.with(Values::of(&self.data))
    }

    fn with<D>(&self, data: D) -> Matrix<D> {
        let Self { rows, columns, strides, .. } = *self;
        Matrix { data, rows, columns, strides }
    }
}
