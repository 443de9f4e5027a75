//! Buffers of flex tensors, and how their rows are shared out.

use burn::tensor::{Bytes, DType, Shape};
use burn_flex::{FlexTensor, Layout};
use rayon::prelude::*;

/// From this many elements on an operation is spread over the threads of the current rayon pool.
pub(crate) const PARALLEL: usize = 1 << 17;

/// About so many elements are worked on at a time: what is touched twice is still in the
/// first-level cache.
const BLOCK: usize = 4096;

/// Elements of as many rows as fill a block. It depends on the row's width alone, never on the
/// number of threads, so that sums over blocks are the same for any pool.
pub(crate) fn block_of_rows(width: usize) -> usize {
    (BLOCK / width).max(1) * width
}

/// Whether this many elements are worth threads.
pub(crate) fn parallel(elements: usize) -> bool {
    elements >= PARALLEL && rayon::current_num_threads() > 1
}

/// The same values, contiguous and filling their buffer; no copy if they already are.
pub(crate) fn contiguous(x: FlexTensor) -> FlexTensor {
    let whole = x.bytes().len() == x.layout().num_elements() * size_of::<f32>();
    if whole && x.layout().start_offset() == 0 && x.is_contiguous() { x } else { x.to_contiguous() }
}

/// Whether every number of the buffer is one element, in whatever order.
pub(crate) fn fills_its_buffer(x: &FlexTensor) -> bool {
    let layout = x.layout();
    let mut dims: Vec<(isize, usize)> = layout
        .strides()
        .iter()
        .copied()
        .zip(layout.shape().iter().copied())
        .filter(|&(_, size)| size != 1)
        .collect();
    dims.sort_unstable();
    let mut next = 1;
    let ordered = dims.into_iter().all(|(stride, size)| {
        let follows = stride == next;
        next *= size as isize;
        follows
    });
    ordered
        && layout.start_offset() == 0
        && x.bytes().len() == layout.num_elements() * size_of::<f32>()
}

/// A contiguous tensor of this shape.
pub(crate) fn tensor(values: Vec<f32>, shape: Shape) -> FlexTensor {
    FlexTensor::new(Bytes::from_elems(values), Layout::contiguous(shape), DType::F32)
}

/// Calls `f(offset, block)` for all blocks of a new buffer and returns it.
pub(crate) fn build(
    elements: usize,
    block: usize,
    f: impl Fn(usize, &mut [f32]) + Sync,
) -> Vec<f32> {
    if parallel(elements) {
        let mut out = vec![0.0; elements];
        out.par_chunks_mut(block).enumerate().for_each(|(i, out)| f(i * block, out));
        return out;
    }
    // A block is made in the cache and appended: zeroing the whole buffer first would be one more
    // pass over memory.
    let mut out = Vec::with_capacity(elements);
    let mut scratch = vec![0.0; block.min(elements)];
    while out.len() < elements {
        let now = &mut scratch[..block.min(elements - out.len())];
        f(out.len(), now);
        out.extend_from_slice(now);
    }
    out
}

/// Calls `f(offset, block)` for all blocks of `x`.
pub(crate) fn each_block(x: &mut [f32], block: usize, f: impl Fn(usize, &mut [f32]) + Sync) {
    if parallel(x.len()) {
        x.par_chunks_mut(block).enumerate().for_each(|(i, x)| f(i * block, x));
    } else {
        x.chunks_mut(block).enumerate().for_each(|(i, x)| f(i * block, x));
    }
}

/// Calls `f(offset, block, partial)` for all blocks of `x`, each with its own `partial` of `width`
/// zeros, and returns their sum. Partial sums are added in the order of the blocks whatever the
/// number of threads.
pub(crate) fn each_block_summed(
    x: &mut [f32],
    block: usize,
    width: usize,
    f: impl Fn(usize, &mut [f32], &mut [f32]) + Sync,
) -> Vec<f32> {
    let mut total = vec![0.0; width];
    let mut add = |partial: &[f32]| {
        for (t, p) in total.iter_mut().zip(partial) {
            *t += p;
        }
    };
    if parallel(x.len()) {
        let blocks = x.len().div_ceil(block);
        let mut partials = vec![0.0; blocks * width];
        let pairs = x.par_chunks_mut(block).zip(partials.par_chunks_mut(width));
        pairs.enumerate().for_each(|(i, (x, partial))| f(i * block, x, partial));
        partials.chunks(width).for_each(add);
    } else {
        let mut partial = vec![0.0; width];
        for (i, x) in x.chunks_mut(block).enumerate() {
            partial.fill(0.0);
            f(i * block, x, &mut partial);
            add(&partial);
        }
    }
    total
}

/// Calls `f(block of x, block of the result)` for all blocks of `x` and of a new buffer as long as
/// `x`, which it returns.
pub(crate) fn build_beside(
    x: &mut [f32],
    block: usize,
    f: impl Fn(&mut [f32], &mut [f32]) + Sync,
) -> Vec<f32> {
    if parallel(x.len()) {
        let mut out = vec![0.0; x.len()];
        x.par_chunks_mut(block).zip(out.par_chunks_mut(block)).for_each(|(x, out)| f(x, out));
        return out;
    }
    let mut out = Vec::with_capacity(x.len());
    let mut scratch = vec![0.0; block.min(x.len())];
    for x in x.chunks_mut(block) {
        let now = &mut scratch[..x.len()];
        f(x, now);
        out.extend_from_slice(now);
    }
    out
}
