//! The weights that a cell starts from, once `model.from` is looked up.

use std::path::PathBuf;

/// Checkpoint that a cell starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartFile {
    /// Name for people, with the cell and the step of a run.
    pub name: String,
    /// File or folder of weights; none if it is not on this machine, in a plan that is only shown.
    pub path: Option<PathBuf>,
    /// Family of the language model that its projection was trained for, if that is known.
    pub language: Option<String>,
}
