//! Captions of a step.

use crate::TrainError;
use toolkit_core::Stream;

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
