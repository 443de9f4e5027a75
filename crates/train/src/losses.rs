//! Cross-entropies, in PyTorch's conventions.

use burn::tensor::{Int, Tensor, activation};

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

/// Summed cross-entropy of next tokens: hidden states or logits `[batch, tokens, classes]`, labels `[batch, tokens]`, weights
/// `[batch, tokens]` with 0 where a label is ignored. Divide by the number of labels of the *whole* batch, so that accumulated
/// micro-batches equal the large batch whatever their lengths.
#[must_use]
pub fn token_loss_sum(logits: Tensor<3>, labels: Tensor<2, Int>, weights: Tensor<2>, smoothing: f64) -> Tensor<1> {
    let [batch, tokens, classes] = logits.dims();
    let rows =
        cross_entropy_rows(logits.reshape([batch * tokens, classes]), labels.reshape([batch * tokens]), smoothing);
    (rows * weights.reshape([batch * tokens])).sum()
}
