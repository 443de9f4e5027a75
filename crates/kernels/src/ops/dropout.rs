//! Dropout with a mask that was drawn elsewhere.

use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};
use burn_flex::FlexTensor;

use crate::cpu::buffer::{block_of_rows, contiguous, each_block};
use crate::cpu::simd::{Kernel, Simd, vectorised};
use crate::graph::{Fused, apply};

/// The elements that dropout keeps, and the factor on them.
#[derive(Clone, Debug)]
pub struct DropoutMask {
    /// One byte for each element, in row-major order: 1 keeps it, 0 drops it.
    pub keep: Arc<[u8]>,
    /// Factor on the elements that stay: `1 / (1 - p)`.
    pub scale: f32,
}

/// Applies dropout: elements that the mask keeps are scaled, the others become zero.
///
/// # Panics
/// If the mask has not one byte for each element.
#[must_use]
pub fn dropout<const D: usize>(x: Tensor<D>, mask: DropoutMask) -> Tensor<D> {
    assert_eq!(mask.keep.len(), x.shape().num_elements(), "a byte for each element");
    apply(mask.clone(), x).unwrap_or_else(|x| primitive(x, &mask))
}

/// Computes [`dropout`] of burn's primitives.
pub(super) fn primitive<const D: usize>(x: Tensor<D>, mask: &DropoutMask) -> Tensor<D> {
    let factors: Vec<f32> =
        mask.keep.iter().map(|&keep| if keep == 0 { 0.0 } else { mask.scale }).collect();
    let factors = Tensor::<D>::from_data(TensorData::new(factors, x.dims()), &x.device());
    x * factors
}

/// Scales the elements that `keep` keeps and zeroes the others.
#[inline(always)]
pub(super) fn drop_elements(x: &mut [f32], keep: &[u8], scale: f32) {
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

fn drop(x: FlexTensor, mask: &DropoutMask) -> FlexTensor {
    let mut x = contiguous(x);
    each_block(x.storage_mut(), block_of_rows(1), |at, x| {
        let keep = &mask.keep[at..at + x.len()];
        vectorised(Drop(x, keep, mask.scale));
    });
    x
}

impl Fused<1> for DropoutMask {
    type Saved = ();

    fn forward(&self, [x]: [FlexTensor; 1], save: bool) -> (FlexTensor, Option<()>) {
        (drop(x, self), save.then_some(()))
    }

    fn backward(&self, (): (), grad: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        [Some(drop(grad, self))]
    }
}
