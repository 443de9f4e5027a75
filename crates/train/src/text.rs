//! Token ids as padded batches.

use crate::TrainError;
use burn::tensor::{Device, Int, Tensor, TensorData};
use toolkit_core::Stream;
pub use toolkit_core::index;

/// Ids `[rows, longest]` with their mask, 1 for real tokens.
#[derive(Clone, Debug)]
pub struct TextBatch {
    /// Token ids.
    pub ids: Tensor<2, Int>,
    /// 1 for real tokens, 0 for padding.
    pub mask: Tensor<2>,
    /// Real lengths.
    pub lengths: Vec<usize>,
}

/// Where padding stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Before the text: prompts of a decoder-only model, so that all texts end together.
    Left,
    /// After the text.
    Right,
}

/// Pads to the longest row (masked positions change nothing, so there is no reason to pad further).
#[must_use]
pub fn pad(rows: &[Vec<u32>], pad: u32, side: Side, device: &Device) -> TextBatch {
    let longest = rows.iter().map(Vec::len).max().unwrap_or(0).max(1);
    let mut ids = Vec::with_capacity(rows.len() * longest);
    let mut mask = Vec::with_capacity(rows.len() * longest);
    for row in rows {
        let filler = longest - row.len();
        let padding =
            (std::iter::repeat_n(pad as i32, filler), std::iter::repeat_n(0.0_f32, filler));
        if side == Side::Left {
            ids.extend(padding.0.clone());
            mask.extend(padding.1.clone());
        }
        ids.extend(row.iter().map(|&id| id as i32));
        mask.extend(std::iter::repeat_n(1.0_f32, row.len()));
        if side == Side::Right {
            ids.extend(padding.0);
            mask.extend(padding.1);
        }
    }
    let shape = [rows.len(), longest];
    TextBatch {
        ids: Tensor::from_data(TensorData::new(ids, shape), device),
        mask: Tensor::from_data(TensorData::new(mask, shape), device),
        lengths: rows.iter().map(Vec::len).collect(),
    }
}

/// One of the captions of sample `sample`.
pub(crate) fn draw_caption<'a>(
    all: &'a [Vec<Vec<u32>>],
    sample: usize,
    draw: &mut Stream,
) -> Result<&'a [u32], TrainError> {
    let captions = &all[sample];
    if captions.is_empty() {
        let hint = "hint: leave images without text out of the training split";
        return Err(TrainError::Other(format!("sample {sample} has no caption; {hint}")));
    }
    Ok(draw.choose::<Vec<u32>>(captions))
}
