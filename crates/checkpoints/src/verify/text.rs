//! Texts of a reference.

use super::reference::{Reference, ids};
use crate::CheckpointError;
use burn::tensor::{Device, Int, Tensor};

/// The texts of a reference, as rows and as tensors `[batch, tokens]`.
pub(super) struct Text {
    pub(super) rows: Vec<Vec<i64>>,
    pub(super) mask_rows: Vec<Vec<i64>>,
    pub(super) ids: Tensor<2, Int>,
    pub(super) mask: Tensor<2>,
}

impl Text {
    /// Reads `batch` texts of at most `most` tokens below `vocab`.
    pub(super) fn read(
        reference: &Reference,
        batch: usize,
        most: usize,
        vocab: usize,
        device: &Device,
    ) -> Result<Self, CheckpointError> {
        let rows = reference.tokens("input_ids", batch, most, vocab)?;
        let mask_rows = reference.mask("attention_mask", &rows)?;
        let (ids, mask) = (ids(&rows, device), ids(&mask_rows, device).float());
        Ok(Self { rows, mask_rows, ids, mask })
    }

    /// Returns the tokens of each row without padding.
    pub(super) fn real(&self) -> Vec<Vec<u32>> {
        let real = |(row, mask): (&Vec<i64>, &Vec<i64>)| {
            row.iter().zip(mask).filter(|(_, m)| **m != 0).map(|(&id, _)| id as u32).collect()
        };
        self.rows.iter().zip(&self.mask_rows).map(real).collect()
    }
}
