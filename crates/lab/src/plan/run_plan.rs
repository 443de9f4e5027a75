//! The plan of a run: models, data, stage-1 runs and cells, before anything is trained.

use crate::LabError;
use crate::experiment::spec::{AlsoSpec, DataSpec, FrozenPrecision, Spec};
use crate::experiment::start::StartFile;
use crate::experiment::sweep::ExperimentCell;
use crate::plan::model_plan::ModelPlan;
use crate::plan::names::{cell_id, stage1_key};
use crate::plan::splits::Splits;
use crate::plan::start_plan::StartPlan;
use crate::plan::training_features::TrainingFeatures;
use crate::work::tasks;
use serde::Serialize;
use toolkit_registry::Registry;
use toolkit_system::problem::Problem;

/// A stage-1 run that one or more cells start from.
#[derive(Clone, Debug, Serialize)]
pub struct Stage1Plan {
    /// Hash of all that determines it; names its folder.
    pub key: String,
    /// Seed.
    pub seed: u64,
    /// Index of the first cell that uses it.
    #[serde(skip)]
    pub cell: usize,
    /// Axis values that set it apart from other stage-1 runs of the experiment.
    pub label: String,
}

/// A cell with the indices of its model, data and stage 1.
pub struct PlannedCell {
    /// The cell, its id set.
    pub cell: ExperimentCell,
    /// Index into [`RunPlan::model_plans`].
    pub model_plan: usize,
    /// Index into [`RunPlan::splits`].
    pub splits: usize,
    /// Index into [`RunPlan::stage1`].
    pub stage1: Option<usize>,
    /// Index into [`RunPlan::starts`].
    pub start: Option<usize>,
}

/// Everything that a run does.
pub struct RunPlan {
    /// Combinations of parts.
    pub model_plans: Vec<ModelPlan>,
    /// Data.
    pub splits: Vec<Splits>,
    /// Stage-1 runs, each used by one or more cells.
    pub stage1: Vec<Stage1Plan>,
    /// Weights that cells start from, where the experiment names some.
    pub starts: Vec<StartPlan>,
    /// Cells.
    pub cells: Vec<PlannedCell>,
    /// Assumptions about data, and settings that may not be meant, one line each.
    pub notes: Vec<String>,
}

/// Treatment of data that are not on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingData {
    /// They are an error: the plan will be carried out.
    Refused,
    /// Their size is assumed: the plan is only shown. Ids of cells are then not those of the run.
    Assumed,
}

impl RunPlan {
    /// Looks up cards and data, checks that they fit, and finds the work that cells share. No
    /// weight is read.
    ///
    /// # Errors
    /// If cards, data or widths are wrong, or two cells are the same.
    pub fn new(
        registry: &Registry,
        cells: Vec<ExperimentCell>,
        missing: MissingData,
    ) -> Result<Self, LabError> {
        let mut planner = Planner::new(registry, missing);
        cells.into_iter().try_for_each(|cell| planner.add(cell))?;
        Ok(planner.plan)
    }

    /// Returns the model of a cell.
    #[must_use]
    pub fn parts(&self, cell: &PlannedCell) -> &ModelPlan {
        &self.model_plans[cell.model_plan]
    }

    /// Returns the data of a cell.
    #[must_use]
    pub fn data(&self, cell: &PlannedCell) -> &Splits {
        &self.splits[cell.splits]
    }

    /// Returns the stage-1 run that a cell starts from, if it has one.
    #[must_use]
    pub fn stage1(&self, cell: &PlannedCell) -> Option<&Stage1Plan> {
        cell.stage1.map(|at| &self.stage1[at])
    }

    fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

/// Cards of a model; models with the same cards are looked up once.
type ModelKey = (String, String, Option<String>, FrozenPrecision);

/// Checkpoint, model, and `true` if stage 1 starts from it.
type StartKey = (StartFile, usize, bool);

/// A plan that grows cell by cell.
struct Planner<'a> {
    registry: &'a Registry,
    missing: MissingData,
    plan: RunPlan,
    /// Keys of [`RunPlan::model_plans`].
    models: Vec<ModelKey>,
    /// Keys of [`RunPlan::splits`].
    data: Vec<(DataSpec, Vec<AlsoSpec>)>,
    /// Keys of [`RunPlan::starts`].
    starts: Vec<StartKey>,
}

impl<'a> Planner<'a> {
    fn new(registry: &'a Registry, missing: MissingData) -> Self {
        let plan = RunPlan {
            model_plans: Vec::new(),
            splits: Vec::new(),
            stage1: Vec::new(),
            starts: Vec::new(),
            cells: Vec::new(),
            notes: Vec::new(),
        };
        Self { registry, missing, plan, models: Vec::new(), data: Vec::new(), starts: Vec::new() }
    }

    fn add(&mut self, mut cell: ExperimentCell) -> Result<(), LabError> {
        if cell.spec.stage2.is_none() {
            // Stage 1 alone has no use for a language model, even if the file names one.
            cell.spec.model.language = None;
        }
        let model_plan = self.model(&cell.spec)?;
        let known = self.data.len();
        let splits = self.splits(&cell.spec.data, &cell.spec.eval.also)?;
        let (parts, opened) = (&self.plan.model_plans[model_plan], &self.plan.splits[splits]);
        cell.tasks = tasks::task_hashes(self.registry, &cell.spec, parts)?;
        TrainingFeatures::any_cached(&cell.spec, parts, opened)?;
        if splits == known {
            tasks::check_also(self.registry, &cell.spec.eval.also, opened)?;
        }
        // Without a text tower there is no stage 1: `stage1.enabled` then means nothing, so that
        // bridges can be compared.
        let wants_stage1 = cell.spec.wants_stage1() && parts.bridge.shape.text.is_some();
        if !wants_stage1 && cell.spec.stage2.is_none() {
            let what = format!(
                "`{}` has no text side, so stage 1 cannot train it",
                cell.spec.model.bridge
            );
            return Err(Problem::new(what).hint("use a Q-Former, or add `[stage2]`").into());
        }
        let start = cell.start.as_ref().map(|file| self.start(file, model_plan, wants_stage1));
        let start = start.transpose()?;
        let (parts, opened) = (&self.plan.model_plans[model_plan], &self.plan.splits[splits]);
        let weights = start.map(|at| self.plan.starts[at].hash());
        let key = wants_stage1.then(|| stage1_key(&cell, parts, opened, weights.as_deref()));
        cell.id = cell_id(&cell, parts, opened, key.as_deref(), weights.as_deref());
        if self.plan.cells.iter().any(|other| other.cell.id == cell.id) {
            let what = format!("two cells are the same: {:?} seed {}", cell.axes, cell.seed);
            let hint = "an axis changes nothing; remove the repeated value";
            return Err(Problem::new(what).hint(hint).into());
        }
        cell.spec.notes().into_iter().for_each(|note| self.plan.note(note));
        let stage1 = key.map(|key| self.stage1(key, &cell));
        self.plan.cells.push(PlannedCell { cell, model_plan, splits, stage1, start });
        Ok(())
    }

    /// Returns the index of a model, which is looked up the first time.
    fn model(&mut self, spec: &Spec) -> Result<usize, LabError> {
        let (model, frozen) = (&spec.model, spec.compute.frozen);
        let key = (model.vision.clone(), model.bridge.clone(), model.language.clone(), frozen);
        if let Some(at) = self.models.iter().position(|known| *known == key) {
            return Ok(at);
        }
        self.plan.model_plans.push(ModelPlan::new(self.registry, model)?.keeping(frozen));
        self.models.push(key);
        Ok(self.models.len() - 1)
    }

    /// Returns the index of weights that a stage starts from, which are opened the first time.
    fn start(
        &mut self,
        file: &StartFile,
        model_plan: usize,
        first: bool,
    ) -> Result<usize, LabError> {
        let key = (file.clone(), model_plan, first);
        if let Some(at) = self.starts.iter().position(|known| *known == key) {
            return Ok(at);
        }
        let parts = &self.plan.model_plans[model_plan];
        let start = StartPlan::new(self.registry, file, parts, first)?;
        start.lines().into_iter().for_each(|line| self.plan.note(line));
        self.plan.starts.push(start);
        self.starts.push(key);
        Ok(self.starts.len() - 1)
    }

    /// Returns the index of data, which are opened the first time.
    fn splits(&mut self, data: &DataSpec, also: &[AlsoSpec]) -> Result<usize, LabError> {
        let key = (data.clone(), also.to_vec());
        if let Some(at) = self.data.iter().position(|known| *known == key) {
            return Ok(at);
        }
        let splits = match self.missing {
            MissingData::Refused => Splits::open(self.registry, data, also)?,
            MissingData::Assumed => {
                Splits::open_or_assume(self.registry, data, also, &mut self.plan.notes)?
            }
        };
        self.plan.splits.push(splits);
        self.data.push(key);
        Ok(self.data.len() - 1)
    }

    /// Returns the index of a stage-1 run, which `cell` adds if it is the first to use it.
    fn stage1(&mut self, key: String, cell: &ExperimentCell) -> usize {
        if let Some(at) = self.plan.stage1.iter().position(|known| known.key == key) {
            return at;
        }
        let matters = |axis: &str| {
            !axis.starts_with("model.language")
                && axis != "stage1.enabled"
                && !axis.starts_with("stage2")
        };
        let axes = cell.axes.iter().filter(|(axis, _)| matters(axis));
        let label = axes.map(|(axis, value)| format!("{axis} = {value}")).collect::<Vec<_>>();
        self.plan.stage1.push(Stage1Plan {
            key,
            seed: cell.seed,
            cell: self.plan.cells.len(),
            label: label.join(", "),
        });
        self.plan.stage1.len() - 1
    }
}
