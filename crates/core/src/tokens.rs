//! Token ids: special ids, and padded batches of texts.

use crate::Ends;
use burn::tensor::{Device, Int, Tensor, TensorData};

/// Special ids of the tokenizer that a bridge with a text tower reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextSpecialTokens {
    /// Padding.
    pub pad: u32,
    /// First token of a text that is matched or contrasted.
    pub cls: u32,
    /// Last token of every text.
    pub sep: u32,
    /// First token of a text that is generated.
    pub dec: u32,
}

/// Special ids of the language model's tokenizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LanguageSpecialTokens {
    /// First token of a text, where the model was trained with one (OPT: `</s>`). It is a label
    /// too, predicted from the last query.
    pub bos: Option<u32>,
    /// Ids that end a text; the first is the label after a caption.
    pub eos: Ends,
    /// Padding.
    pub pad: u32,
    /// First id the decoder of an encoder-decoder reads.
    pub decoder_start: u32,
}

/// Ids `[rows, longest]` and their mask.
#[derive(Clone, Debug)]
pub struct TextBatch {
    /// Token ids.
    pub ids: Tensor<2, Int>,
    /// 1 for real tokens, 0 for padding.
    pub mask: Tensor<2>,
    /// Number of real tokens of each row.
    pub lengths: Vec<usize>,
}

/// Side of a text that padding stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Before the text: prompts of a decoder-only model, so that all texts end together.
    Left,
    /// After the text.
    Right,
}

/// Pads to the longest row.
///
/// Masked positions change no result, so there is no reason to pad further.
#[must_use]
pub fn pad(rows: &[Vec<u32>], pad: u32, side: Side, device: &Device) -> TextBatch {
    let longest = rows.iter().map(Vec::len).max().unwrap_or(0).max(1);
    let mut ids = Vec::with_capacity(rows.len() * longest);
    let mut mask = Vec::with_capacity(rows.len() * longest);
    for row in rows {
        let filler = longest - row.len();
        let (before, after) = match side {
            Side::Left => (filler, 0),
            Side::Right => (0, filler),
        };
        ids.extend(std::iter::repeat_n(pad as i32, before));
        ids.extend(row.iter().map(|&id| id as i32));
        ids.extend(std::iter::repeat_n(pad as i32, after));
        mask.extend(std::iter::repeat_n(0.0_f32, before));
        mask.extend(std::iter::repeat_n(1.0_f32, row.len()));
        mask.extend(std::iter::repeat_n(0.0_f32, after));
    }
    let shape = [rows.len(), longest];
    TextBatch {
        ids: Tensor::from_data(TensorData::new(ids, shape), device),
        mask: Tensor::from_data(TensorData::new(mask, shape), device),
        lengths: rows.iter().map(Vec::len).collect(),
    }
}

/// Returns an integer tensor `[n]` of row numbers.
#[must_use]
pub fn index(rows: &[usize], device: &Device) -> Tensor<1, Int> {
    let rows: Vec<i32> = rows.iter().map(|&row| row as i32).collect();
    let count = rows.len();
    Tensor::from_data(TensorData::new(rows, [count]), device)
}
