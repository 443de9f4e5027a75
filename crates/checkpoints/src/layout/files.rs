//! Weight files of a checkpoint, and sizes read from the shapes of tensors.

use crate::CheckpointError;
use std::path::Path;
use toolkit_core::published::PublishedNames;
use toolkit_formats::Tensors;
use toolkit_models::weights;
use toolkit_models::weights::reader::Reader;

/// Opens a file, unless its weights are adapters or quantised.
pub(crate) fn usable(file: &Path) -> Result<Tensors, CheckpointError> {
    let tensors = Tensors::open(file)?;
    let all = tensors.names().chain(tensors.skipped().map(|(name, _)| name));
    match weights::unusable(all) {
        Some((what, hint)) => Err(CheckpointError::new(what, file.display(), hint)),
        None => Ok(tensors),
    }
}

/// Opens the file of one part, where the configuration names one.
pub(super) fn of_part(
    file: Option<&Path>,
    names: PublishedNames,
) -> Result<Option<Reader>, CheckpointError> {
    let Some(file) = file else { return Ok(None) };
    Ok(Some(Reader::of_part(usable(file)?, names)))
}

/// Returns the width of the projection in a file.
pub(crate) fn projected_width(tensors: &Tensors) -> Option<usize> {
    first_rows(tensors, &["language_projection.bias", "opt_proj.bias", "t5_proj.bias"])
}

/// Returns the width of the features that the bridge of a file reads.
pub(super) fn features_width(tensors: &Tensors) -> Option<usize> {
    let names =
        ["ln_vision.weight", "vision_model.post_layernorm.weight", "bridge.ln_vision.weight"];
    first_rows(tensors, &names)
}

fn first_rows(tensors: &Tensors, names: &[&str]) -> Option<usize> {
    let info = names.iter().find_map(|name| tensors.info(name))?;
    info.shape.first().copied()
}
