//! A planned run: nothing of it is trained yet.

use crate::experiment::spec::Spec;
use crate::plan::estimate::Estimate;
use crate::plan::run_plan::RunPlan;
use crate::work::cell_job::CellJob;
use crate::work::context::RunContext;
use std::path::PathBuf;
use toolkit_registry::Source;

/// Options of a run.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// Values of `--set`.
    pub overrides: Vec<String>,
    /// `true` if the file's `[smoke]` settings are used.
    pub smoke: bool,
    /// Run folder; `runs/<name>` if it is not given.
    pub out: Option<PathBuf>,
    /// Jobs at a time; as the file says, or one for each core, if it is not given.
    pub jobs: Option<usize>,
    /// Folder of cached features; that of the user if it is not given.
    pub cache: Option<PathBuf>,
    /// Command line, for the manifest.
    pub command: Vec<String>,
    /// Name of the device, for the manifest.
    pub device_name: String,
}

/// A planned run.
pub struct Run {
    /// Settings of the experiment, overrides included.
    pub spec: Spec,
    /// The experiment file.
    pub source: Source,
    /// Models, data, stage-1 runs and cells.
    pub plan: RunPlan,
    /// Estimated cost.
    pub estimate: Estimate,
    /// Run folder.
    pub out: PathBuf,
    /// Jobs at a time.
    pub jobs: usize,
}

impl Run {
    /// Returns the job of the cell at `index` of the plan.
    #[must_use]
    pub fn cell_job<'a>(&'a self, context: &'a RunContext<'a>, index: usize) -> CellJob<'a> {
        let cell = &self.plan.cells[index];
        CellJob {
            context,
            cell: &cell.cell,
            model_plan: self.plan.parts(cell),
            splits: self.plan.data(cell),
            stage1: self.plan.stage1(cell).map(|stage1| stage1.key.as_str()),
            start: cell.start.map(|at| &self.plan.starts[at]),
        }
    }
}
