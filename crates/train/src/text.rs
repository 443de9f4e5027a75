//! Draws of captions.

use crate::TrainError;
use crate::source::Sample;
use toolkit_core::Stream;
use toolkit_system::problem::Problem;

/// Draws one of the captions of a sample.
///
/// # Errors
/// If the sample has no caption.
pub(crate) fn draw_caption<'a>(
    sample: &'a Sample,
    draw: &mut Stream,
) -> Result<&'a [u32], TrainError> {
    let (row, captions) = (sample.row, &sample.captions);
    if captions.is_empty() {
        let hint = "leave images without text out of the training split";
        return Err(Problem::new(format!("sample {row} has no caption")).hint(hint).into());
    }
    Ok(draw.choose::<Vec<u32>>(captions))
}
