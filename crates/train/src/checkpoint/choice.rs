//! Choice among the checkpoints of a training.

use super::{Best, Checkpoint};
use crate::TrainError;
use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use toolkit_core::params;
use toolkit_system::problem::Problem;

/// One of the checkpoints of a training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CheckpointChoice {
    /// The last one.
    #[default]
    Latest,
    /// The one with the best score (`compute.best`).
    Best,
    /// The one after this many steps, if it was kept (`compute.keep`).
    Step(u64),
}

impl FromStr for CheckpointChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "latest" => Ok(Self::Latest),
            "best" => Ok(Self::Best),
            step => step
                .parse()
                .map(Self::Step)
                .map_err(|_| "give `latest`, `best` or a number of steps".to_owned()),
        }
    }
}

impl Display for CheckpointChoice {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("latest"),
            Self::Best => f.write_str("best"),
            Self::Step(step) => step.fmt(f),
        }
    }
}

/// Weights of a checkpoint.
pub struct SavedWeights {
    /// Steps done.
    pub step: u64,
    /// File.
    pub file: PathBuf,
    /// Tensors by name.
    pub tensors: BTreeMap<String, params::Values>,
}

impl CheckpointChoice {
    /// Reads the weights of this checkpoint of the training in `dir`. Nothing if the training has
    /// not saved one yet.
    ///
    /// # Errors
    /// If `best` or a step is wanted that was not kept, or a file is damaged.
    pub fn weights(self, dir: &Path) -> Result<Option<SavedWeights>, TrainError> {
        let missing = |hint: &str| {
            Problem::new(format_args!("there is no checkpoint `{self}`"))
                .at(dir.display())
                .hint(hint)
        };
        let (step, name, tensors) = match self {
            Self::Latest => {
                let Some(saved) = Checkpoint::load(dir)? else { return Ok(None) };
                (saved.step, saved.model.clone(), saved.weights(dir)?)
            }
            Self::Best => {
                let hint = "stage 2 keeps it if the experiment names a score of its curve, such \
                    as `compute.best = \"vqa\"`";
                let best = Best::load(dir)?.ok_or_else(|| missing(hint))?;
                (best.step, best.model.clone(), best.weights(dir)?)
            }
            Self::Step(step) => {
                let saved = match Checkpoint::load_step(dir, step)? {
                    Some(saved) => Some(saved),
                    None => Checkpoint::load(dir)?.filter(|saved| saved.step == step),
                };
                let hint = "the folder has `step-N.json` for each that was kept; `compute.keep` \
                    says how many";
                let saved = saved.ok_or_else(|| missing(hint))?;
                (saved.step, saved.model.clone(), saved.weights(dir)?)
            }
        };
        Ok(Some(SavedWeights { step, file: dir.join(name), tensors }))
    }
}
