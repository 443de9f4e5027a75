//! Cross-entropies, in PyTorch's conventions.

use burn::tensor::{Int, Tensor, activation};
use toolkit_core::{AnyLanguage, index};

/// Cross-entropy of each row: logits `[rows, classes]`, labels `[rows]` to `[rows]`.
/// Label smoothing as in PyTorch: the target is `(1 - s) * onehot + s / classes`.
#[must_use]
pub fn cross_entropy_rows(logits: Tensor<2>, labels: Tensor<1, Int>, smoothing: f64) -> Tensor<1> {
    toolkit_kernels::cross_entropy(logits, labels, smoothing)
}

/// Cross-entropy against a full target distribution `[rows, classes]`, one value per row.
#[must_use]
pub fn soft_cross_entropy_rows(logits: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    let [rows, _] = logits.dims();
    (activation::log_softmax(logits, 1) * targets).sum_dim(1).reshape([rows]).neg()
}

/// Summed cross-entropy of next tokens: hidden states or logits `[batch, tokens, classes]`, labels
/// `[batch, tokens]`, weights `[batch, tokens]` with 0 where a label is ignored. Divide by the
/// number of labels of the *whole* batch, so that accumulated micro-batches equal the large batch
/// whatever their lengths.
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
    (rows * weights.reshape([batch * tokens])).sum()
}

/// Rows of logits that are held at a time, at most: the vocabulary is the widest layer of all (OPT:
/// 50,272), its product slow for a few rows.
pub const LOGIT_ROWS: usize = 512;

/// Summed cross-entropy of `labels` behind the head of a frozen language model: those of row i are
/// for the first positions of row i of `hidden [batch, tokens, hidden]`. Only positions with a
/// label pass the head, at most [`LOGIT_ROWS`] at a time, and the gradient of the hidden states is
/// found together with the loss: no logits wait for the backward pass.
///
/// Trap: gradients reach `hidden`, and nothing inside `language`.
///
/// # Panics
/// If there are not as many rows of labels as of states, or one is longer.
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
        let loss = cross_entropy_rows(logits, wanted, 0.0).sum();
        sum += f64::from(loss.clone().into_scalar::<f32>());
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
