//! Cross-entropies, in PyTorch's conventions.

use burn::tensor::{Int, Tensor};
use toolkit_core::{AnyLanguage, index};

/// Computes the cross-entropy of each row, `[rows]`.
///
/// `logits` are `[rows, classes]`, `labels` are `[rows]`. With label smoothing `s` the target is
/// `(1 - s) * onehot + s / classes`, as in PyTorch.
#[must_use]
pub fn cross_entropy_rows(logits: Tensor<2>, labels: Tensor<1, Int>, smoothing: f64) -> Tensor<1> {
    toolkit_kernels::cross_entropy(logits, labels, smoothing)
}

/// Computes the cross-entropy of each row against a target distribution, `[rows]`.
///
/// `logits` and `targets` are `[rows, classes]`.
#[must_use]
pub fn soft_cross_entropy_rows(logits: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    toolkit_kernels::soft_cross_entropy(logits, targets)
}

/// Computes the cross-entropy of tokens, weighted and summed.
///
/// `logits` are `[batch, tokens, classes]`, `labels` and `weights` are `[batch, tokens]`. A weight
/// of 0 ignores its label. Divide by the number of labels of the whole batch: then micro-batches of
/// any lengths add up to the loss of that batch.
#[must_use]
pub fn token_loss_sum(
    logits: Tensor<3>,
    labels: Tensor<2, Int>,
    weights: Tensor<2>,
    smoothing: f64,
) -> Tensor<1> {
    let [batch, tokens, classes] = logits.dims();
    let rows = cross_entropy_rows(
        logits.reshape([batch * tokens, classes]),
        labels.reshape([batch * tokens]),
        smoothing,
    );
    toolkit_kernels::sum(rows * weights.reshape([batch * tokens]))
}

/// Largest number of rows of logits in memory at a time.
///
/// The vocabulary is the widest layer of all (OPT: 50,272), and its product is slow for few rows.
pub const LOGIT_ROWS: usize = 512;

/// Computes the cross-entropy of `labels` behind the head of a frozen language model, summed.
///
/// `hidden` is `[batch, tokens, width]`. The labels of row i are for the first positions of row i.
/// Only positions with a label pass the head, at most [`LOGIT_ROWS`] at a time. The gradient of the
/// hidden states is computed together with the loss, so no logits stay in memory for the backward
/// pass.
///
/// Trap: gradients reach `hidden`, but no parameter of `language`.
///
/// # Panics
/// If the number of rows differs, or a row of labels is longer than the states.
#[must_use]
pub fn next_token_loss_sum(
    language: &AnyLanguage,
    hidden: Tensor<3>,
    labels: &[Vec<u32>],
) -> Tensor<1> {
    let ([batch, tokens, width], device) = (hidden.dims(), hidden.device());
    let fits = labels.len() == batch && labels.iter().all(|labels| labels.len() <= tokens);
    assert!(
        fits,
        "{} rows of labels for {batch} rows of {tokens} states, or one that is longer",
        labels.len()
    );
    let rows: Vec<usize> = labels
        .iter()
        .enumerate()
        .flat_map(|(row, labels)| (0..labels.len()).map(move |at| row * tokens + at))
        .collect();
    let labels: Vec<usize> = labels.iter().flatten().map(|&label| label as usize).collect();
    if rows.is_empty() {
        return Tensor::zeros([1], &device);
    }
    let states = hidden.reshape([batch * tokens, width]);
    let states = toolkit_kernels::embedding(states, index(&rows, &device).unsqueeze());
    let recorded = !toolkit_kernels::is_constant(&states);
    let plain = if recorded { states.clone().inner() } else { states.clone() };
    let size = rows.len().div_ceil(rows.len().div_ceil(LOGIT_ROWS));
    let (mut sum, mut slopes) = (0.0, Vec::new());
    for (piece, labels) in labels.chunks(size).enumerate() {
        let piece = plain.clone().narrow(1, piece * size, labels.len());
        let piece = if recorded { Tensor::from_inner(piece).require_grad() } else { piece };
        let logits = language.logits(piece.clone()).squeeze_dim::<2>(0);
        let wanted = index(labels, &logits.device());
        let loss = toolkit_kernels::sum(cross_entropy_rows(logits, wanted, 0.0));
        sum += scalar(&loss);
        if recorded {
            slopes.extend(piece.grad_remove(&mut loss.backward()));
        }
    }
    let sum = Tensor::from_data([sum as f32], &device);
    if slopes.is_empty() {
        return sum;
    }
    let carried = toolkit_kernels::with_gradient(states, Tensor::cat(slopes, 1));
    sum + (carried.clone() - carried.detach())
}

/// Returns the value of a loss `[1]`.
pub(crate) fn scalar(loss: &Tensor<1>) -> f64 {
    f64::from(loss.clone().into_scalar::<f32>())
}
