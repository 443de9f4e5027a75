//! One step of AdamW on one tensor, in one pass over memory.

use burn::backend::DispatchAutodiffContext;
use burn::tensor::Tensor;
use burn_flex::FlexTensor;
use rayon::prelude::*;

use crate::cpu::buffer::{contiguous, parallel};
use crate::cpu::simd::{Kernel, Simd, vectorised};
use crate::cpu::vector::madd;
use crate::graph;

/// The numbers of one step that every element shares.
#[derive(Clone, Copy, Debug)]
pub struct AdamWStep {
    /// Decay rates of the two moments.
    pub betas: [f64; 2],
    /// Added to the root of the second moment.
    pub eps: f64,
    /// `1 - beta^t` of the two moments at this step.
    pub corrections: [f64; 2],
    /// Learning rate times any other factor of the step.
    pub rate: f64,
    /// Factor on the value before the step: `1 - rate * weight_decay`.
    pub decay: f64,
    /// Factor on the gradient, for clipping.
    pub gradient_scale: f64,
}

/// Elements of each of the four tensors that are worked on at a time.
const BLOCK: usize = 2048;

struct Update<'a> {
    step: AdamWStep,
    value: &'a mut [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
    grad: &'a [f32],
}

impl Kernel for Update<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let AdamWStep {
            betas: [beta1, beta2],
            eps,
            corrections: [correct1, correct2],
            rate,
            decay,
            gradient_scale,
        } = self.step;
        let [beta1, beta2, eps, decay, scale] =
            [beta1, beta2, eps, decay, gradient_scale].map(|x| x as f32);
        let (new1, new2) = ((1.0 - self.step.betas[0]) as f32, (1.0 - self.step.betas[1]) as f32);
        let (correct2, rate) = ((1.0 / correct2) as f32, (rate / correct1) as f32);
        let moments = self.first.iter_mut().zip(self.second);
        for ((value, grad), (first, second)) in self.value.iter_mut().zip(self.grad).zip(moments) {
            let grad = grad * scale;
            *first = madd::<S>(*first, beta1, grad * new1);
            *second = madd::<S>(*second, beta2, grad * grad * new2);
            let step = *first / ((*second * correct2).sqrt() + eps);
            *value = madd::<S>(step, -rate, *value * decay);
        }
    }
}

/// Applies one step of AdamW to `[value, first moment, second moment, gradient]`, none of them
/// tracked. Returns value and moments.
#[must_use]
pub fn adamw<const D: usize>(step: AdamWStep, tensors: [Tensor<D>; 4]) -> [Tensor<D>; 3] {
    let tensors = tensors.map(Tensor::into_dispatch);
    if !tensors.iter().all(|tensor| {
        tensor.autodiff == DispatchAutodiffContext::Disabled && graph::on_flex(tensor)
    }) {
        return primitive(step, tensors.map(Tensor::from_dispatch));
    }
    update(step, tensors.map(|tensor| graph::inner(tensor.kind)))
        .map(|x| Tensor::from_dispatch(graph::plain(x)))
}

/// Computes [`adamw`] of burn's primitives.
fn primitive<const D: usize>(
    step: AdamWStep,
    [value, first, second, grad]: [Tensor<D>; 4],
) -> [Tensor<D>; 3] {
    let AdamWStep {
        betas: [beta1, beta2],
        eps,
        corrections: [correct1, correct2],
        rate,
        decay,
        gradient_scale,
    } = step;
    let grad = if gradient_scale == 1.0 { grad } else { grad * gradient_scale };
    let first = first * beta1 + grad.clone() * (1.0 - beta1);
    let second = second * beta2 + grad.clone() * grad * (1.0 - beta2);
    let change = first.clone() / ((second.clone() / correct2).sqrt() + eps) * (rate / correct1);
    let value = if decay == 1.0 { value } else { value * decay };
    [value - change, first, second]
}

/// Returns value and moments after the step, computed in place where no other tensor shares them.
fn update(step: AdamWStep, [value, first, second, grad]: [FlexTensor; 4]) -> [FlexTensor; 3] {
    let [mut value, mut first, mut second] = [value, first, second].map(contiguous);
    let grad = contiguous(grad);
    let grad: &[f32] = grad.storage();
    let sizes = [&value, &first, &second].map(|x| x.layout().num_elements());
    assert_eq!(sizes, [grad.len(); 3], "a value and two moments for each gradient");
    let (v, f, s) =
        (value.storage_mut::<f32>(), first.storage_mut::<f32>(), second.storage_mut::<f32>());
    if parallel(grad.len()) {
        (v.par_chunks_mut(BLOCK).zip(f.par_chunks_mut(BLOCK)).zip(s.par_chunks_mut(BLOCK)))
            .zip(grad.par_chunks(BLOCK))
            .for_each(|(((value, first), second), grad)| {
                vectorised(Update { step, value, first, second, grad })
            });
    } else {
        vectorised(Update { step, value: v, first: f, second: s, grad });
    }
    [value, first, second]
}
