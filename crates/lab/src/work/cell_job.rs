//! A cell with what its job works on.

use crate::LabError;
use crate::experiment::sweep::ExperimentCell;
use crate::plan::model_plan::ModelPlan;
use crate::plan::splits::Splits;
use crate::plan::start_plan::StartPlan;
use crate::work::context::RunContext;
use crate::work::feature_store::SplitFeatures;
use std::path::PathBuf;

/// The job of a cell, with its model, data and stage 1.
pub struct CellJob<'a> {
    /// The run.
    pub context: &'a RunContext<'a>,
    /// The cell.
    pub cell: &'a ExperimentCell,
    /// Model.
    pub model_plan: &'a ModelPlan,
    /// Data.
    pub splits: &'a Splits,
    /// Key of the stage-1 run that it starts from, if there is one.
    pub stage1: Option<&'a str>,
    /// Weights that its first stage starts from, if the experiment names some.
    pub start: Option<&'a StartPlan>,
}

impl CellJob<'_> {
    /// Opens the cached features of the cell's data.
    ///
    /// # Errors
    /// As [`RunContext::features`].
    pub fn features(&self) -> Result<SplitFeatures, LabError> {
        self.context.features(&self.cell.spec, self.model_plan, self.splits)
    }

    /// Returns the folder of the cell.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        self.context.folder.cell(&self.cell.id)
    }

    /// Returns the folder of its last training.
    #[must_use]
    pub fn last_stage_dir(&self) -> PathBuf {
        match self.stage1 {
            Some(key) if self.cell.spec.stage2.is_none() => self.context.folder.stage1(key),
            _ => self.stage2_dir(),
        }
    }

    /// Returns the folder of its stage-2 training.
    #[must_use]
    pub fn stage2_dir(&self) -> PathBuf {
        self.context.folder.stage2(&self.cell.id)
    }
}
