//! The same function of many captions, on all cores if they are many.

use rayon::prelude::*;

/// Below this, handing work to other threads costs more than the work.
const MANY: usize = 256;

/// Between two reports of how far the work is.
const BLOCK: usize = 1 << 14;

/// Receiver of progress: the number of captions that became ready. Called from one thread.
pub type Advance<'a> = &'a dyn Fn(usize);

/// Maps each number below `count`, in order.
pub(crate) fn collect<T: Send>(count: usize, of: impl Fn(usize) -> T + Send + Sync) -> Vec<T> {
    if count < MANY {
        (0..count).map(of).collect()
    } else {
        (0..count).into_par_iter().map(of).collect()
    }
}

/// Maps as [`collect`] does, with memory of type `S` that a thread uses again and again. Reports
/// progress.
pub(crate) fn with_scratch<S: Default, T: Send>(
    count: usize,
    of: impl Fn(&mut S, usize) -> T + Send + Sync,
    advance: Advance<'_>,
) -> Vec<T> {
    let mut all = Vec::with_capacity(count);
    if count < MANY {
        let mut scratch = S::default();
        all.extend((0..count).map(|at| of(&mut scratch, at)));
        advance(count);
        return all;
    }
    for start in (0..count).step_by(BLOCK) {
        let end = count.min(start + BLOCK);
        all.par_extend((start..end).into_par_iter().map_init(S::default, &of));
        advance(end - start);
    }
    all
}
