//! Products of rows with a matrix of 8-bit or 4-bit blocks, in integers.
//!
//! A matrix is `[outputs, inputs]` with blocks along the inputs, byte for byte as in a GGUF file.
//! Each block of 32 numbers of `x` is rounded to 8 bits with a scale of its own. The product of two
//! blocks is a sum of integers, which is exact. It is scaled, and the blocks are added in f32.
//!
//! | module | purpose |
//! |---|---|
//! | `block` | formats, and one block as numbers |
//! | `encode` | a matrix to blocks |
//! | `rows` | the 8-bit rows of `x` |
//! | `tensor` | a matrix as a tensor of burn |
//! | `plain` | the product by its definition, for processors without AVX2 |
//! | `integers`, `formats`, `product` | the product with AVX2, AVX-VNNI or AVX512-VNNI |
//!
//! **Order of sums.** Each element is `sum + least`. `sum` is one chain of fused multiply-adds over
//! the blocks in order, from 0: the integer of a block times the rounded product of both scales.
//! `least` is another: the minimum of a block times the scaled sum of that block of `x`. So an
//! element has the same bits on every instruction set, beside any other rows, on any number of
//! threads.

mod block;
mod encode;
#[cfg(target_arch = "x86_64")]
mod formats;
#[cfg(target_arch = "x86_64")]
mod integers;
mod plain;
#[cfg(target_arch = "x86_64")]
mod product;
mod rows;
mod tensor;

pub use block::BlockFormat;
pub use tensor::BlockMatrix;

use std::sync::Arc;

use burn_flex::FlexTensor;

use super::team;
use block::BLOCK;
use rows::RowBlock;

/// Elements of a matrix below which one thread multiplies.
const PARALLEL: usize = 1 << 16;

/// Bytes of a matrix that a thread takes at a time, about.
const PIECE: usize = 1 << 16;

/// Rows of the matrix that are multiplied at a time; a piece is a multiple of it.
const LANES: usize = 8;

/// Computes `y [rows, outputs] = x [rows, inputs] w'`; `x` is contiguous.
pub(crate) fn times(x: FlexTensor, w: &BlockMatrix, rows: usize) -> Vec<f32> {
    let [outputs, inputs] = w.shape();
    let stride = w.stride();
    let x: Arc<[RowBlock]> = rows::quantise(x.storage()).into();
    let lines = (PIECE / stride).next_multiple_of(LANES);
    let w = w.clone();
    let one = move |i: usize| {
        let from = i * lines;
        let to = (from + lines).min(outputs);
        let mut out = vec![0.0; (to - from) * rows];
        let bytes = &w.bytes()[from * stride..to * stride];
        multiply(w.format(), &x, inputs / BLOCK, bytes, &mut out);
        out
    };
    let pieces = outputs.div_ceil(lines);
    let mut parts: Vec<Vec<f32>> = if outputs * inputs >= PARALLEL {
        team::pieces(pieces, one)
    } else {
        (0..pieces).map(one).collect()
    };
    if rows == 1 || pieces == 1 {
        return if pieces == 1 { parts.swap_remove(0) } else { parts.concat() };
    }
    let mut y = Vec::with_capacity(rows * outputs);
    for row in 0..rows {
        for part in &parts {
            let width = part.len() / rows;
            y.extend_from_slice(&part[row * width..][..width]);
        }
    }
    y
}

/// Computes `out [rows of x, rows of w] = x w'`, for rows of so many blocks.
fn multiply(format: BlockFormat, x: &[RowBlock], blocks: usize, w: &[u8], out: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if product::times(format, x, blocks, w, out) {
        return;
    }
    plain::times(format, x, blocks, w, out);
}

#[cfg(test)]
mod tests;
