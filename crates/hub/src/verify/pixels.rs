//! What the folder's image processor makes of picture files.

use super::Reference;
use super::compare::Outputs;
use crate::HubError;
use std::path::Path;
use toolkit_core::params::Values;
use toolkit_data::{Alpha, Preprocess, decode_as};

pub(super) fn run(
    reference: &Reference,
    folder: &Path,
    preprocess: Preprocess,
    outputs: &mut Outputs<'_>,
) -> Result<(), HubError> {
    let files: Vec<String> =
        reference.outputs().filter_map(|name| name.strip_prefix("pixel_values/")).map(str::to_owned).collect();
    for file in files {
        // The pictures lie beside the reference, or beside the checkpoint.
        let places = [&reference.folder, folder].map(|place| place.join(&file));
        let Some(path) = places.iter().find(|path| path.is_file()) else {
            outputs.note(&format!("pixel_values/{file}"), format!("there is no picture {}", places[0].display()));
            continue;
        };
        let side = preprocess.size as usize;
        let data = preprocess.apply(&decode_as(path, Alpha::Drop)?);
        outputs.put_values(&format!("pixel_values/{file}"), Values { shape: vec![3, side, side], data });
    }
    Ok(())
}
