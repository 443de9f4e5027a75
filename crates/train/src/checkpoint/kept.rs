//! Earlier checkpoints that stay on the disk: a manifest `step-N.json` beside the files of each.
//!
//! A copy of such a manifest under the name `latest.json` goes back to its step.

use super::{Checkpoint, best::is_best, read_json};
use crate::TrainError;
use std::collections::HashSet;
use std::path::Path;
use toolkit_system::files::write_bytes;
use toolkit_system::problem::Problem;

/// Returns the name of the manifest that stays.
fn manifest_name(step: u64) -> String {
    format!("step-{step:07}.json")
}

/// Returns the step of a manifest's name.
fn step_of(name: &str) -> Option<u64> {
    name.strip_prefix("step-")?.strip_suffix(".json")?.parse().ok()
}

impl Checkpoint {
    /// Reads the manifest of the kept checkpoint of step `step` in `dir`, if there is one.
    ///
    /// # Errors
    /// If the manifest exists but is unreadable.
    pub fn load_step(dir: &Path, step: u64) -> Result<Option<Self>, TrainError> {
        read_json(&dir.join(manifest_name(step)))
    }

    /// Writes the manifest that stays when the next checkpoint is saved.
    pub(super) fn write_kept(&self, dir: &Path) -> Result<(), TrainError> {
        let json = serde_json::to_vec_pretty(self).map_err(Problem::defect)?;
        Ok(write_bytes(&dir.join(manifest_name(self.step)), &json)?)
    }

    /// Removes the checkpoints in `dir` but this one, the `keep` - 1 before it, and the best: a kill
    /// before or after a manifest was written leaves files that no manifest names.
    pub fn remove_others(&self, dir: &Path, keep: usize) {
        let names = || {
            let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned())
        };
        let mut steps: Vec<u64> = names().filter_map(|name| step_of(&name)).collect();
        // Checkpoints of later steps are left by somebody who went back.
        steps.retain(|step| *step <= self.step);
        steps.sort_unstable_by(|a, b| b.cmp(a));
        steps.truncate(if keep > 1 { keep } else { 0 });
        let mut named = HashSet::from([self.model.clone(), self.optimizer.clone()]);
        for step in steps {
            if let Ok(Some(kept)) = Self::load_step(dir, step) {
                named.extend([manifest_name(step), kept.model, kept.optimizer]);
            }
        }
        // Manifests go first, so that none names a file that is gone.
        let (manifests, tensors): (Vec<String>, Vec<String>) =
            names().partition(|name| step_of(name).is_some());
        let tensors = tensors.into_iter().filter(|name| name.ends_with(".safetensors"));
        for name in manifests.into_iter().chain(tensors.filter(|name| !is_best(name))) {
            if !named.contains(&name) {
                // A file that stays costs disk space, nothing else.
                let _ = std::fs::remove_file(dir.join(name));
            }
        }
    }
}
