//! Cross-entropy of rows of logits against labels.

use std::sync::Arc;

use burn::tensor::{Int, Shape, Tensor, activation};
use burn_flex::FlexTensor;
use rayon::prelude::*;

use crate::cpu::buffer::{block_of_rows, contiguous, each_block, indices, parallel, tensor, width};
use crate::cpu::simd::{Kernel, Simd, vectorised};
use crate::cpu::vector::{exp_negative, ln, max, sum};
use crate::graph::{self, Fused};

/// Returns the cross-entropy of each row: logits `[rows, classes]`, labels `[rows]` to `[rows]`.
///
/// Label smoothing is PyTorch's: the target is `(1 - smoothing) * onehot + smoothing / classes`.
///
/// # Panics
/// If a label is not below the number of classes.
#[must_use]
pub fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>, smoothing: f64) -> Tensor<1> {
    let [rows, classes] = logits.dims();
    let labels = labels.into_dispatch();
    let ids = graph::integers(&labels).filter(|_| rows * classes > 0);
    let Some(indices) = ids.and_then(|ids| indices(&ids, classes)) else {
        return primitive(logits, Tensor::from_dispatch(labels), smoothing);
    };
    let op = CrossEntropy { labels: indices, smoothing: smoothing as f32 };
    match graph::run(op, [logits.into_dispatch()]) {
        Ok(losses) => Tensor::from_dispatch(losses),
        Err([logits]) => {
            primitive(Tensor::from_dispatch(logits), Tensor::from_dispatch(labels), smoothing)
        }
    }
}

/// Computes [`cross_entropy`] of burn's primitives.
fn primitive(logits: Tensor<2>, labels: Tensor<1, Int>, smoothing: f64) -> Tensor<1> {
    let [rows, _] = logits.dims();
    let log_p = activation::log_softmax(logits, 1);
    let hit = log_p.clone().gather(1, labels.reshape([rows, 1])).reshape([rows]).neg();
    if smoothing == 0.0 {
        return hit;
    }
    let uniform = log_p.mean_dim(1).reshape([rows]).neg();
    hit * (1.0 - smoothing) + uniform * smoothing
}

/// Exponentials computed at a time: a row of a large vocabulary never leaves the first-level cache
/// between its passes.
const PIECE: usize = 1024;

/// `-sum_c target_c log_softmax(logits)_c` with `target = (1 - smoothing) onehot(label) + smoothing
/// / classes`.
#[derive(Clone, Debug)]
struct CrossEntropy {
    labels: Arc<[usize]>,
    smoothing: f32,
}

/// The logits, and for each row its maximum and `1 / sum(exp(logits - maximum))`.
// Probabilities would be a second copy of what may be the largest tensor of the step; computing the
// exponentials again is cheaper.
#[derive(Clone, Debug)]
struct Saved {
    logits: FlexTensor,
    rows: Arc<Vec<[f32; 2]>>,
}

struct Forward<'a> {
    logits: &'a [f32],
    labels: &'a [usize],
    smoothing: f32,
    rows: &'a mut [[f32; 2]],
    losses: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let width = self.logits.len() / self.losses.len();
        let mut scratch = [0.0; PIECE];
        let outputs = self.losses.iter_mut().zip(self.rows);
        for ((logits, &label), (loss, row)) in
            self.logits.chunks_exact(width).zip(self.labels).zip(outputs)
        {
            let peak = max(simd, logits);
            let (mut total, mut linear) = (0.0, 0.0);
            for piece in logits.chunks(PIECE) {
                let scratch = &mut scratch[..piece.len()];
                for (s, x) in scratch.iter_mut().zip(piece) {
                    *s = x - peak;
                }
                if self.smoothing != 0.0 {
                    linear += sum(simd, scratch);
                }
                for s in scratch.iter_mut() {
                    *s = exp_negative::<S>(*s);
                }
                total += sum(simd, scratch);
            }
            *row = [peak, 1.0 / total];
            *loss = ln::<S>(total) - (1.0 - self.smoothing) * (logits[label] - peak);
            // Not `- 0 * mean`: a logit of minus infinity would make that NaN.
            if self.smoothing != 0.0 {
                *loss -= self.smoothing * linear / width as f32;
            }
        }
    }
}

/// Replaces logits by their gradient, `grad (softmax(logits) - target)`.
struct Backward<'a> {
    logits: &'a mut [f32],
    labels: &'a [usize],
    smoothing: f32,
    rows: &'a [[f32; 2]],
    grad: &'a [f32],
    width: usize,
}

impl Kernel for Backward<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let uniform = self.smoothing / self.width as f32;
        let rows = self.logits.chunks_exact_mut(self.width).zip(self.labels);
        for (((logits, &label), &[peak, scale]), &grad) in rows.zip(self.rows).zip(self.grad) {
            for x in logits.iter_mut() {
                *x = grad * (exp_negative::<S>(*x - peak) * scale - uniform);
            }
            logits[label] -= grad * (1.0 - self.smoothing);
        }
    }
}

impl Fused<1> for CrossEntropy {
    type Saved = Saved;

    fn forward(&self, [logits]: [FlexTensor; 1], save: bool) -> (FlexTensor, Option<Saved>) {
        let logits = contiguous(logits);
        let width = width(&logits);
        let values: &[f32] = logits.storage();
        let count = values.len() / width;
        assert_eq!(
            self.labels.len(),
            count,
            "{} labels for {count} rows of logits",
            self.labels.len()
        );
        let (mut rows, mut losses) = (vec![[0.0; 2]; count], vec![0.0; count]);
        let smoothing = self.smoothing;
        let run = |(((logits, labels), rows), losses)| {
            vectorised(Forward { logits, labels, smoothing, rows, losses })
        };
        if parallel(values.len()) {
            let block = block_of_rows(width);
            let inputs = values.par_chunks(block).zip(self.labels.par_chunks(block / width));
            inputs
                .zip(rows.par_chunks_mut(block / width))
                .zip(losses.par_chunks_mut(block / width))
                .for_each(run);
        } else {
            run((((values, &*self.labels), &mut *rows), &mut *losses));
        }
        let saved = save.then(|| Saved { logits, rows: Arc::new(rows) });
        (tensor(losses, Shape::new([count])), saved)
    }

    fn backward(&self, saved: Saved, grad: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        let grad = contiguous(grad);
        let grad: &[f32] = grad.storage();
        // In place if no other tensor shares the logits.
        let mut logits = saved.logits;
        let width = width(&logits);
        each_block(logits.storage_mut(), block_of_rows(width), |at, logits| {
            let (labels, rows, grad) =
                (&self.labels[at / width..], &saved.rows[at / width..], &grad[at / width..]);
            vectorised(Backward { logits, labels, smoothing: self.smoothing, rows, grad, width });
        });
        [Some(logits)]
    }
}
