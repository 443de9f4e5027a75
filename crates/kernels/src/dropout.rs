//! Dropout whose mask was drawn elsewhere.

use std::sync::Arc;

use burn_flex::FlexTensor;

use crate::buffer::{block_of_rows, contiguous, each_block};
use crate::node::Fused;
use crate::simd::{Kernel, Simd, vectorised};

/// Which elements stay, one byte each (1 stays, 0 is dropped), and what those that stay are
/// multiplied by: `1 / (1 - p)`.
#[derive(Clone, Debug)]
pub struct Keep {
    /// In the order of the elements.
    pub elements: Arc<[u8]>,
    /// `1 / (1 - p)`.
    pub scale: f32,
}

/// Elements become what is kept of them.
#[inline(always)]
pub(crate) fn drop_elements(x: &mut [f32], keep: &[u8], scale: f32) {
    for (x, &keep) in x.iter_mut().zip(keep) {
        *x = if keep == 0 { 0.0 } else { *x * scale };
    }
}

struct Drop<'a>(&'a mut [f32], &'a [u8], f32);

impl Kernel for Drop<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        drop_elements(self.0, self.1, self.2);
    }
}

fn drop(x: FlexTensor, keep: &Keep) -> FlexTensor {
    let mut x = contiguous(x);
    each_block(x.storage_mut(), block_of_rows(1), |at, x| {
        let elements = &keep.elements[at..at + x.len()];
        vectorised(Drop(x, elements, keep.scale));
    });
    x
}

impl Fused<1> for Keep {
    type Saved = ();

    fn forward(&self, [x]: [FlexTensor; 1], keep: bool) -> (FlexTensor, Option<()>) {
        (drop(x, self), keep.then_some(()))
    }

    fn backward(&self, (): (), grad: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        [Some(drop(grad, self))]
    }
}
