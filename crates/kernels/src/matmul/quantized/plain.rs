//! The product by its definition, one element at a time.

use super::block::{BLOCK, Block, BlockFormat};
use super::rows::RowBlock;

/// Computes `out [rows of x, rows of w] = x w'`, for rows of so many blocks.
pub(super) fn times(format: BlockFormat, x: &[RowBlock], blocks: usize, w: &[u8], out: &mut [f32]) {
    let (numbers, bytes) = format.block();
    let stride = blocks * BLOCK / numbers * bytes;
    let columns = w.len() / stride;
    for (column, w) in w.chunks_exact(stride).enumerate() {
        let w: Vec<Block> = (0..blocks).map(|at| Block::read(format, w, at)).collect();
        for (row, x) in x.chunks_exact(blocks).enumerate() {
            let (mut sum, mut least) = (0.0_f32, 0.0_f32);
            for (w, x) in w.iter().zip(x) {
                let products = w.numbers.iter().zip(&x.numbers);
                let total: i32 = products.map(|(&w, &x)| i32::from(w) * i32::from(x)).sum();
                sum = (total as f32).mul_add(w.scale * x.scale, sum);
                least = w.minimum.mul_add(x.scaled_sum, least);
            }
            out[row * columns + column] = sum + least;
        }
    }
}
