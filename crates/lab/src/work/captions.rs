//! Captions of a data set as stage 1 reads them.

use toolkit_data::Dataset;
use toolkit_system::problem::Problem;

/// Longest caption in tokens, special ones included (LAVIS: `max_txt_len` 32).
pub const MAX_CAPTION: usize = 32;

/// Encodes the captions of each image as `[CLS] caption [SEP]`, at most `positions` tokens long.
/// The end of a longer caption is left out; `[SEP]` stays.
///
/// # Errors
/// If a caption holds a token that the model has no row for.
pub fn stage1_captions(
    dataset: &dyn Dataset,
    encode: &dyn Fn(&str) -> Result<Vec<u32>, Problem>,
    cls: u32,
    sep: u32,
    positions: usize,
) -> Result<Vec<Vec<Vec<u32>>>, Problem> {
    let one = |text: &String| {
        let mut ids = vec![cls];
        ids.extend(encode(text)?);
        ids.truncate(positions.min(MAX_CAPTION).saturating_sub(1));
        ids.push(sep);
        Ok(ids)
    };
    (0..dataset.len()).map(|i| dataset.item(i).captions.iter().map(one).collect()).collect()
}
