//! The kinds of experiment files.

use crate::LabError;
use crate::experiment::pretrain_spec::PretrainSpec;
use toolkit_registry::Source;

/// An experiment file, by its `kind`.
pub enum Experiment {
    /// Pre-training of backbones.
    Pretrain(PretrainSpec),
    /// Cells: an ablation or a training; [`resolve`](crate::experiment::overrides::resolve) parses
    /// it.
    Cells,
}

/// Reads `kind` and, for pre-training, parses the file.
///
/// # Errors
/// If a file of pre-training is wrong.
pub fn kind(source: &Source) -> Result<Experiment, LabError> {
    match source.table().get("kind").and_then(|v| v.get_ref().as_str()) {
        Some("pretrain") => Ok(Experiment::Pretrain(source.parse()?)),
        _ => Ok(Experiment::Cells),
    }
}
