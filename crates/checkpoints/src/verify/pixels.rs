//! Pixels that the image processor makes of picture files.

use super::compare::Outputs;
use super::reference::Reference;
use crate::CheckpointError;
use crate::input::is_there;
use std::path::Path;
use toolkit_core::params::Values;
use toolkit_vlm::Processor;

pub(super) fn run(
    reference: &Reference,
    folder: &Path,
    processor: &Processor,
    outputs: &mut Outputs<'_>,
) -> Result<(), CheckpointError> {
    let files: Vec<String> = reference
        .outputs()
        .filter_map(|name| name.strip_prefix("pixel_values/"))
        .map(str::to_owned)
        .collect();
    for file in files {
        // The pictures are in the folder of the reference, or of the checkpoint.
        let places = [&reference.folder, folder].map(|place| place.join(&file));
        let path = match (is_there(&places[0])?, &places) {
            (true, [beside, _]) => Some(beside),
            (false, [_, own]) => is_there(own)?.then_some(own),
        };
        let Some(path) = path else {
            outputs.note(
                &format!("pixel_values/{file}"),
                format!("there is no picture {}", places[0].display()),
            );
            continue;
        };
        let side = processor.preprocess.size as usize;
        let data = processor.pixels(path)?;
        outputs.put_values(
            &format!("pixel_values/{file}"),
            Values { shape: vec![3, side, side], data },
        );
    }
    Ok(())
}
