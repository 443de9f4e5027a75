//! The same function of many captions, on all cores if they are many.

use rayon::prelude::*;

/// Below this, handing work to other threads costs more than the work.
const MANY: usize = 256;

/// `of` of each number below `count`, in order.
pub(crate) fn collect<T: Send>(count: usize, of: impl Fn(usize) -> T + Send + Sync) -> Vec<T> {
    if count < MANY { (0..count).map(of).collect() } else { (0..count).into_par_iter().map(of).collect() }
}
