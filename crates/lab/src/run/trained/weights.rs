//! The weight file of a stage of a run, for a training that starts from it.

use super::{TrainedCell, TrainedRun};
use crate::LabError;
use crate::experiment::start::StartFile;
use crate::run::damage::sha256_of;
use std::path::Path;
use toolkit_system::problem::Problem;
use toolkit_train::checkpoint::Checkpoint;

impl TrainedRun<'_> {
    /// Returns the weights of stage 1, or of stage 2 where the run or the cell has no stage 1 or
    /// `stage` asks for it.
    ///
    /// # Errors
    /// If the run has several and no cell is named, or none, or the file is damaged.
    pub fn weights(&self, cell: Option<&str>, stage: Option<u8>) -> Result<StartFile, LabError> {
        match stage {
            Some(1) => self.stage1_weights(cell),
            Some(_) => self.stage2_weights(cell),
            None if self.has_stage1(cell) => self.stage1_weights(cell),
            None => self.stage2_weights(cell),
        }
    }

    /// Returns the bridge after stage 1.
    fn stage1_weights(&self, cell: Option<&str>) -> Result<StartFile, LabError> {
        let (key, _) = match cell {
            Some(id) => self.stage1_of(id)?,
            None => {
                self.single("stage-1 runs", &self.trained_keys())?;
                self.stage1(None)?
            }
        };
        let dir = self.run().stage1(&key);
        self.checkpoint(&dir, &format!("stage 1 {key}"), None)
    }

    /// Returns the connector after stage 2.
    fn stage2_weights(&self, cell: Option<&str>) -> Result<StartFile, LabError> {
        if cell.is_none() {
            self.single("cells", &self.trained_cells()?)?;
        }
        let chosen = self.choose(cell)?;
        let TrainedCell { id, model_plan, .. } = &chosen;
        let family = model_plan.language()?.card.family.clone();
        self.checkpoint(&self.stage2(&chosen), &format!("cell {id}"), Some(family))
    }

    /// Checks that there is no choice.
    fn single(&self, what: &str, names: &[String]) -> Result<(), LabError> {
        if names.len() < 2 {
            return Ok(());
        }
        let cells = self.trained_cells()?;
        let named = cells.iter().take(4).cloned().collect::<Vec<_>>().join(", ");
        let what = format!("this run has {} {what}, and no cell is named", names.len());
        let hint = format!("name one as `model.from_cell`: {named}");
        Err(Problem::new(what).at(self.folder.display()).hint(hint).into())
    }

    /// Finds the weights of the checkpoint in `dir`, and compares them with their hash.
    fn checkpoint(
        &self,
        dir: &Path,
        of: &str,
        language: Option<String>,
    ) -> Result<StartFile, LabError> {
        let saved = Checkpoint::load(dir)?.ok_or_else(|| {
            Problem::new("there is no checkpoint")
                .at(dir.display())
                .hint("finish the run first: the command that began it resumes it")
        })?;
        let path = dir.join(&saved.model);
        let found = sha256_of(&path).map_err(|error| LabError::io(&path, &error))?;
        if found != saved.model_sha256 {
            let what =
                format!("its SHA-256 is {found}, the checkpoint says {}", saved.model_sha256);
            let hint = "remove the folder of the stage: the run trains it again";
            return Err(Problem::new(what).at(path.display()).hint(hint).into());
        }
        let name = format!("{}, {of}, step {}", self.folder.display(), saved.step);
        Ok(StartFile { name, path: Some(path), language })
    }
}
