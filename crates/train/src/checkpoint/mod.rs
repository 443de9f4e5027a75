//! Checkpoints: safetensors and a JSON manifest, replaced atomically.
//!
//! `latest.json` names the files of one step and their hashes. It is renamed into place after they
//! are written. So a kill at any moment leaves the old checkpoint whole, or the new one.
//!
//! | File | Purpose |
//! |---|---|
//! | this one | the last checkpoint, from which a training goes on |
//! | `kept.rs` | those before it that stay |
//! | `best.rs` | the weights with the best score |
//! | `choice.rs` | the one that a command is asked for |

mod best;
mod choice;
mod kept;

pub use best::Best;
pub use choice::{CheckpointChoice, SavedWeights};

use crate::TrainError;
use crate::log::LogMark;
use crate::optim::AdamW;
use burn::module::Module;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use toolkit_core::params;
use toolkit_models::weights::{StoredDtype, read_safetensors, write_safetensors};
use toolkit_system::digest::sha256_hex;
use toolkit_system::files::write_bytes;
use toolkit_system::problem::Problem;

/// The manifest of a checkpoint.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Checkpoint {
    /// Steps done.
    pub step: u64,
    /// Updates that the optimiser made.
    pub updates: u64,
    /// File name of the weights, in the folder of the manifest.
    pub model: String,
    /// SHA-256 of the weights' file.
    pub model_sha256: String,
    /// File name of the optimiser's state.
    pub optimizer: String,
    /// SHA-256 of the optimiser's file.
    pub optimizer_sha256: String,
    /// Length and hash of the log of these steps; older versions did not save them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<LogMark>,
}

const MANIFEST: &str = "latest.json";

impl Checkpoint {
    /// Reads the manifest of the checkpoint in `dir`, if there is one.
    ///
    /// # Errors
    /// If the manifest exists but is unreadable.
    pub fn load(dir: &Path) -> Result<Option<Self>, TrainError> {
        read_json(&dir.join(MANIFEST))
    }

    /// Saves a checkpoint in `dir` after `step` steps, whose log is `log`. Of those before, the last
    /// `keep` - 1 stay.
    ///
    /// # Errors
    /// Errors of the file system; the old checkpoint is then still whole.
    pub fn save<M: Module>(
        dir: &Path,
        model: &M,
        optim: &AdamW,
        (step, log): (u64, LogMark),
        keep: usize,
    ) -> Result<(), TrainError> {
        let (state, updates) = optim.export(model);
        let (model_file, optimizer_file) = (
            format!("step-{step:07}.safetensors"),
            format!("step-{step:07}.optimizer.safetensors"),
        );
        let step_entry = ("step".to_owned(), step.to_string());
        let write = |name: &str, tensors: &BTreeMap<String, params::Values>, more: Option<u64>| {
            let updates = more.map(|updates| ("updates".to_owned(), updates.to_string()));
            let metadata = updates.into_iter().chain([step_entry.clone()]).collect();
            write_safetensors(&dir.join(name), tensors, StoredDtype::F32, metadata)
        };
        let manifest = Self {
            step,
            updates,
            model_sha256: write(&model_file, &params::export(model), None)?,
            model: model_file,
            optimizer_sha256: write(&optimizer_file, &state, Some(updates))?,
            optimizer: optimizer_file,
            log: Some(log),
        };
        if keep > 1 {
            manifest.write_kept(dir)?;
        }
        let json = serde_json::to_vec_pretty(&manifest).map_err(Problem::defect)?;
        write_bytes(&dir.join(MANIFEST), &json)?;
        manifest.remove_others(dir, keep);
        Ok(())
    }

    /// Reads the tensors of file `name`, by name.
    ///
    /// # Errors
    /// If the file is missing or damaged, or its step is not the manifest's.
    fn read(
        &self,
        dir: &Path,
        name: &str,
        sha256: &str,
    ) -> Result<BTreeMap<String, params::Values>, TrainError> {
        let expected = [("step", self.step), ("updates", self.updates)];
        read_tensors(&dir.join(name), sha256, &expected, &dir.join(MANIFEST))
    }

    /// Reads the weights alone, by name.
    ///
    /// # Errors
    /// If the file is missing, damaged or not the one that was saved.
    pub fn weights(&self, dir: &Path) -> Result<BTreeMap<String, params::Values>, TrainError> {
        self.read(dir, &self.model, &self.model_sha256)
    }

    /// Loads weights and the optimiser's state; returns the model and the number of steps done.
    ///
    /// # Errors
    /// If files are damaged or belong to another model.
    pub fn restore<M: Module>(
        &self,
        model: M,
        optim: &mut AdamW,
        dir: &Path,
    ) -> Result<(M, u64), TrainError> {
        let model = load_strict(model, self.weights(dir)?, &dir.join(&self.model))?;
        let state = self.read(dir, &self.optimizer, &self.optimizer_sha256)?;
        optim.import(&model, state, self.updates).map_err(|name| TrainError::BadCheckpoint {
            path: dir.join(&self.optimizer).display().to_string(),
            what: format!("`{name}` does not fit a parameter of this model"),
        })?;
        Ok((model, self.step))
    }
}

/// Reads the manifest `path`, if it is there.
fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, TrainError> {
    match toolkit_system::input::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|e| {
            TrainError::BadCheckpoint { path: path.display().to_string(), what: e.to_string() }
        }),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Problem::io("read", path, e).into()),
    }
}

/// Reads the tensors of a file whose hash, and the numbers that it repeats, are those of
/// `manifest`.
fn read_tensors(
    path: &Path,
    sha256: &str,
    expected: &[(&str, u64)],
    manifest: &Path,
) -> Result<BTreeMap<String, params::Values>, TrainError> {
    let bad = |what: String| TrainError::BadCheckpoint { path: path.display().to_string(), what };
    let bytes = toolkit_system::input::read(path).map_err(|e| Problem::io("read", path, e))?;
    let found = sha256_hex(&bytes);
    if found != sha256 {
        return Err(bad(format!("its SHA-256 is {found}, the manifest says {sha256}")));
    }
    let (tensors, metadata) = read_safetensors(&bytes).map_err(|e| bad(e.to_string()))?;
    for (key, value) in expected {
        if let Some(other) = metadata.get(*key).filter(|other| **other != value.to_string()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let what = format!("it says `{key}` = {value}, {name} says {other}");
            return Err(TrainError::BadCheckpoint { path: manifest.display().to_string(), what });
        }
    }
    Ok(tensors)
}

/// Loads all of `weights` into `model`.
///
/// # Errors
/// The missing, unexpected and mis-shaped tensors, if there are any.
pub fn load_strict<M: Module>(
    model: M,
    weights: BTreeMap<String, params::Values>,
    path: &Path,
) -> Result<M, TrainError> {
    params::import(model, weights).map_err(|(_, wrong)| {
        let part = |label: &str, names: &[String]| match names.len() {
            0 => String::new(),
            n => format!(
                "{n} {label} ({}{}); ",
                names.iter().take(4).cloned().collect::<Vec<_>>().join(", "),
                if n > 4 { ", .." } else { "" }
            ),
        };
        let what = part("missing", &wrong.missing)
            + &part("unexpected", &wrong.unexpected)
            + &part("mis-shaped", &wrong.misshaped);
        TrainError::BadCheckpoint {
            path: path.display().to_string(),
            what: format!("it is of another model: {}", what.trim_end_matches("; ")),
        }
    })
}
