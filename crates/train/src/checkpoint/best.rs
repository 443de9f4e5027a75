//! The weights with the best score along a training: `best.json` and the file that it names.

use super::{read_json, read_tensors};
use crate::TrainError;
use burn::module::Module;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use toolkit_core::params;
use toolkit_models::weights::{StoredDtype, write_safetensors};
use toolkit_system::files::write_bytes;
use toolkit_system::problem::Problem;

const MANIFEST: &str = "best.json";

/// Beginning of the names of weights that `best.json` names.
const PREFIX: &str = "best-";

/// Returns `true` for a file of weights that is not one of the last checkpoints.
pub(super) fn is_best(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// The manifest of the best weights, without the state of an optimiser.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Best {
    /// Steps done.
    pub step: u64,
    /// Key of the score.
    pub score: String,
    /// Value of the score.
    pub value: f64,
    /// File name of the weights, in the folder of the manifest.
    pub model: String,
    /// SHA-256 of the weights' file.
    pub model_sha256: String,
}

impl Best {
    /// Reads the manifest in `dir`, if there is one.
    ///
    /// # Errors
    /// If it exists but is unreadable.
    pub fn load(dir: &Path) -> Result<Option<Self>, TrainError> {
        read_json(&dir.join(MANIFEST))
    }

    /// Saves the weights of `model` after `step` steps in place of those before. A kill leaves
    /// either of them whole.
    ///
    /// # Errors
    /// Errors of the file system.
    pub fn save<M: Module>(
        dir: &Path,
        model: &M,
        step: u64,
        (score, value): (&str, f64),
    ) -> Result<(), TrainError> {
        let name = format!("{PREFIX}step-{step:07}.safetensors");
        let metadata = [("step".to_owned(), step.to_string())].into_iter().collect();
        let tensors = params::export(model);
        let model_sha256 =
            write_safetensors(&dir.join(&name), &tensors, StoredDtype::F32, metadata)?;
        let best = Self { step, score: score.to_owned(), value, model: name, model_sha256 };
        let json = serde_json::to_vec_pretty(&best).map_err(Problem::defect)?;
        write_bytes(&dir.join(MANIFEST), &json)?;
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if is_best(&name) && name.ends_with(".safetensors") && name != best.model {
                // A file that stays costs disk space, nothing else.
                let _ = std::fs::remove_file(entry.path());
            }
        }
        Ok(())
    }

    /// Reads the weights, by name.
    ///
    /// # Errors
    /// If the file is missing, damaged or not the one that was saved.
    pub fn weights(&self, dir: &Path) -> Result<BTreeMap<String, params::Values>, TrainError> {
        let expected = [("step", self.step)];
        read_tensors(&dir.join(&self.model), &self.model_sha256, &expected, &dir.join(MANIFEST))
    }
}
