//! Element-wise sums in place.

use burn_flex::FlexTensor;

use super::buffer::{block_of_rows, contiguous, each_block, fills_its_buffer};
use super::simd::{Kernel, Simd, vectorised};

/// Kernel of `x[i] += y[i]`; a shorter `y` is repeated.
pub(crate) struct AddTo<'a>(pub(crate) &'a mut [f32], pub(crate) &'a [f32]);

impl Kernel for AddTo<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for row in self.0.chunks_mut(self.1.len()) {
            for (x, y) in row.iter_mut().zip(self.1) {
                *x += y;
            }
        }
    }
}

/// Adds `y` to `x`, of one shape; in place if no other tensor shares the values of `x`.
pub(crate) fn add_in_place(x: FlexTensor, y: FlexTensor) -> FlexTensor {
    // Two tensors of the same other layout, such as gradients of keys, need not be made contiguous.
    let same_layout = x.layout() == y.layout() && fills_its_buffer(&x) && fills_its_buffer(&y);
    let (mut x, y) = if same_layout { (x, y) } else { (contiguous(x), contiguous(y)) };
    let y: &[f32] = y.storage();
    each_block(x.storage_mut(), block_of_rows(1), |at, x| {
        vectorised(AddTo(x, &y[at..][..x.len()]))
    });
    x
}
