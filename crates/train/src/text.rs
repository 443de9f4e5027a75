//! Draws of captions.

use crate::TrainError;
use toolkit_core::Stream;
use toolkit_system::problem::Problem;

/// Draws one of the captions of a sample.
///
/// # Errors
/// If the sample has no caption.
pub(crate) fn draw_caption<'a>(
    all: &'a [Vec<Vec<u32>>],
    sample: usize,
    draw: &mut Stream,
) -> Result<&'a [u32], TrainError> {
    let captions = &all[sample];
    if captions.is_empty() {
        let hint = "leave images without text out of the training split";
        return Err(Problem::new(format!("sample {sample} has no caption")).hint(hint).into());
    }
    Ok(draw.choose::<Vec<u32>>(captions))
}
