//! Matrix products, with one order of sums.
//!
//! Every element of a product is a sum over `k`, the columns of the left factor. It is computed in
//! blocks of [`K_BLOCK`]: within a block, a chain of fused multiply-adds in the order of `k` that
//! begins at 0; then the blocks' sums are added in their order. So an element has the same bits in
//! any tile, with registers of any width, beside any number of other rows, on any number of
//! threads. The forms below differ in speed only. A right factor of bf16 is widened where it is read,
//! so a product has the bits of one with the widened matrix.
//!
//! | module | purpose |
//! |---|---|
//! | `factor` | a matrix that a product takes |
//! | `product` | products of f32 matrices, split over threads |
//! | `blocks` | a rectangle of a product on one thread, block after block |
//! | `pack`, `transpose` | copies of blocks in the order in which tiles read them |
//! | `tile`, `register` | tiles of sums in registers, for each instruction set |
//! | `element` | the number types of a right factor |
//! | `matvec`, `dots` | a few rows: bound by reading the matrix, or one that is stored transposed |
//! | `gemm` | small matrices inside other kernels, such as one head of attention |
//! | `quantized` | rows with a matrix of 8-bit or 4-bit blocks, in integers |
//! | `team` | threads that stay awake between short products |

mod blocks;
mod dots;
mod element;
pub(crate) mod factor;
pub(crate) mod gemm;
mod matvec;
mod pack;
pub(crate) mod product;
pub(crate) mod quantized;
mod register;
mod team;
#[cfg(test)]
mod tests;
mod tile;
pub(crate) mod transpose;

pub use quantized::{BlockFormat, BlockMatrix};

/// Columns of the left factor in one block of a sum.
const K_BLOCK: usize = 256;

/// A matrix that fills a buffer. One of the distances between its rows and between its columns is 1.
#[derive(Clone, Copy)]
struct Matrix<D> {
    data: D,
    rows: usize,
    columns: usize,
    strides: [usize; 2],
}

impl<D> Matrix<D> {
    /// Returns `true` if a buffer of so many numbers holds all elements and no others.
    fn fills(&self, len: usize) -> bool {
        let Self { rows, columns, strides, .. } = *self;
        len == rows * columns && [[columns, 1], [1, rows]].contains(&strides)
    }
}
