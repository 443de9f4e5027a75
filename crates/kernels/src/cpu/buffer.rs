//! Buffers of flex tensors, and blocks of their rows over threads.

use std::sync::Arc;

use burn::tensor::{Bytes, DType, Shape};
use burn_flex::{FlexTensor, Layout};
use rayon::prelude::*;

/// Smallest number of elements that an operation spreads over the threads of the current rayon
/// pool.
const PARALLEL: usize = 1 << 17;

/// Elements that are worked on at a time, about: read a second time, they are still in the
/// first-level cache.
const BLOCK: usize = 4096;

/// Returns the number of elements in a block of whole rows. It depends on the rows' width alone,
/// never on the number of threads, so that sums over blocks are the same in any pool.
pub(crate) fn block_of_rows(width: usize) -> usize {
    (BLOCK / width).max(1) * width
}

/// Returns `true` if so many elements are worth more than one thread.
pub(crate) fn parallel(elements: usize) -> bool {
    elements >= PARALLEL && rayon::current_num_threads() > 1
}

/// Returns the values contiguous and filling their buffer; without a copy if they already are.
pub(crate) fn contiguous(x: FlexTensor) -> FlexTensor {
    let whole = x.bytes().len() == x.layout().num_elements() * x.dtype().size();
    if whole && x.layout().start_offset() == 0 && x.is_contiguous() { x } else { x.to_contiguous() }
}

/// Returns `true` if each number of the buffer is one element, in any order.
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

/// Wraps values as a contiguous tensor of this shape.
pub(crate) fn tensor(values: Vec<f32>, shape: Shape) -> FlexTensor {
    FlexTensor::new(Bytes::from_elems(values), Layout::contiguous(shape), DType::F32)
}

/// Returns the size of the last dimension.
pub(crate) fn width(x: &FlexTensor) -> usize {
    x.layout().shape().last().copied().unwrap_or(1)
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
    // A block is computed in the cache and appended: zeroing the whole buffer first would be one
    // more pass over memory.
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
/// zeros, and returns their sum. Partial sums are added in the order of the blocks for any number
/// of threads.
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
pub(crate) fn build_from(
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

/// Returns integer ids as indices below `rows`; `None` unless they are of 32 or 64 bits.
///
/// # Panics
/// If an id is not below `rows`.
pub(crate) fn indices(ids: &FlexTensor, rows: usize) -> Option<Arc<[usize]>> {
    let index = |id: i64| match usize::try_from(id) {
        Ok(index) if index < rows => index,
        _ => panic!("label {id} is not one of {rows} classes"),
    };
    match ids.dtype() {
        DType::I64 => {
            Some(ids.to_contiguous().storage::<i64>().iter().map(|&id| index(id)).collect())
        }
        DType::I32 => {
            Some(ids.to_contiguous().storage::<i32>().iter().map(|&id| index(id.into())).collect())
        }
        _ => None,
    }
}
