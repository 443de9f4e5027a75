//! Cross-entropy of rows of logits against distributions.

use burn::tensor::{Shape, Tensor, activation};
use burn_flex::FlexTensor;

use super::softmax::normalise;
use crate::cpu::buffer::{block_of_rows, contiguous, each_block, tensor, width};
use crate::cpu::simd::{Kernel, Simd, vectorised};
use crate::cpu::vector::{dot, exp_negative, ln, madd, max, sum};
use crate::graph::{self, Fused};

/// Returns the cross-entropy of each row against its target distribution, `-sum_c target_c
/// log_softmax(logits)_c`: `[rows, classes]` twice to `[rows]`.
///
/// No gradient reaches the targets.
#[must_use]
pub fn soft_cross_entropy(logits: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    let targets = targets.detach();
    let plain = targets.clone().into_dispatch();
    let fits = logits.dims() == targets.dims() && logits.shape().num_elements() > 0;
    let op = graph::constant(&plain).filter(|_| fits).map(contiguous).map(SoftCrossEntropy);
    let losses = match op {
        Some(op) => graph::run(op, [logits.into_dispatch()]),
        None => Err([logits.into_dispatch()]),
    };
    match losses {
        Ok(losses) => Tensor::from_dispatch(losses),
        Err([logits]) => primitive(Tensor::from_dispatch(logits), targets),
    }
}

/// Computes [`soft_cross_entropy`] of burn's primitives.
fn primitive(logits: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    let [rows, _] = logits.dims();
    (activation::log_softmax(logits, 1) * targets).sum_dim(1).reshape([rows]).neg()
}

/// `sum(t) ln sum(exp(x)) - sum(t x)` in each row, `x` being the logits below their maximum and `t`
/// the target that this holds.
#[derive(Clone, Debug)]
struct SoftCrossEntropy(FlexTensor);

struct Forward<'a> {
    logits: &'a [f32],
    targets: &'a [f32],
    losses: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let width = self.logits.len() / self.losses.len();
        let mut row = vec![0.0; width];
        let rows = self.logits.chunks_exact(width).zip(self.targets.chunks_exact(width));
        for ((logits, targets), loss) in rows.zip(self.losses) {
            let peak = max(simd, logits);
            for (below, x) in row.iter_mut().zip(logits) {
                *below = x - peak;
            }
            let linear = dot(simd, &row, targets);
            for below in &mut row {
                *below = exp_negative::<S>(*below);
            }
            *loss = madd::<S>(sum(simd, targets), ln::<S>(sum(simd, &row)), -linear);
        }
    }
}

/// Replaces logits by their gradient, `grad (sum(t) softmax(logits) - t)`.
struct Backward<'a> {
    logits: &'a mut [f32],
    targets: &'a [f32],
    grad: &'a [f32],
    width: usize,
}

impl Kernel for Backward<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        normalise(simd, self.logits, self.width);
        let targets = self.targets.chunks_exact(self.width);
        let rows = self.logits.chunks_exact_mut(self.width).zip(targets);
        for ((row, targets), &grad) in rows.zip(self.grad) {
            let whole = sum(simd, targets);
            for (x, &target) in row.iter_mut().zip(targets) {
                *x = grad * madd::<S>(whole, *x, -target);
            }
        }
    }
}

impl Fused<1> for SoftCrossEntropy {
    /// The logits.
    type Saved = FlexTensor;

    fn forward(&self, [logits]: [FlexTensor; 1], save: bool) -> (FlexTensor, Option<FlexTensor>) {
        let logits = contiguous(logits);
        let width = width(&logits);
        let (values, targets): (&[f32], &[f32]) = (logits.storage(), self.0.storage());
        let mut losses = vec![0.0; values.len() / width];
        each_block(&mut losses, block_of_rows(width) / width, |at, losses| {
            let range = at * width..(at + losses.len()) * width;
            let (logits, targets) = (&values[range.clone()], &targets[range]);
            vectorised(Forward { logits, targets, losses });
        });
        let losses = tensor(losses, Shape::new([values.len() / width]));
        (losses, save.then_some(logits))
    }

    fn backward(
        &self,
        mut logits: FlexTensor,
        grad: FlexTensor,
        _: [bool; 1],
    ) -> [Option<FlexTensor>; 1] {
        let grad = contiguous(grad);
        let (width, grad): (usize, &[f32]) = (width(&logits), grad.storage());
        let targets: &[f32] = self.0.storage();
        each_block(logits.storage_mut(), block_of_rows(width), |at, logits| {
            let (targets, grad) = (&targets[at..at + logits.len()], &grad[at / width..]);
            vectorised(Backward { logits, targets, grad, width });
        });
        [Some(logits)]
    }
}
