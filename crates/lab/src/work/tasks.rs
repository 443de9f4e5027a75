//! The tasks of an experiment: what is measured of each cell, on which data, how much of it.

use crate::LabError;
use crate::experiment::spec::{AlsoSpec, Spec};
use crate::plan::fingerprint::card_hash;
use crate::plan::model_plan::ModelPlan;
use crate::plan::splits::Splits;
use crate::work::feature_store::SplitFeatures;
use toolkit_data::Dataset;
use toolkit_eval::{
    CaptionTask, EvalError, Needs, RetrievalTask, Task, TaskFamily, TaskSettings, VqaTask,
};
use toolkit_registry::{Card, Kind, Registry};
use toolkit_system::problem::Problem;
use toolkit_train::features::Features;

/// First part of the keys of the scores of answers on the test split.
pub(crate) const QUESTIONS: &str = "vqa";

/// Data of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TaskData {
    /// The test split.
    Test,
    /// Data of `eval.also`, by their place there.
    Also(usize),
}

/// A task that is measured of each cell.
#[derive(Debug)]
pub(crate) struct CellTask {
    /// First part of the keys of its scores.
    pub(crate) name: String,
    /// Task.
    pub(crate) task: Box<dyn Task>,
    /// At most so many samples.
    pub(crate) limit: Option<usize>,
    data: TaskData,
}

impl CellTask {
    /// Returns the data.
    pub(crate) fn data<'a>(&self, splits: &'a Splits) -> Result<&'a dyn Dataset, LabError> {
        match self.data {
            TaskData::Test => Ok(&**splits.tested()?),
            TaskData::Also(at) => Ok(&*splits.also[at]),
        }
    }

    /// Returns the features of the data.
    pub(crate) fn features<'a>(
        &self,
        features: &'a SplitFeatures,
    ) -> Result<&'a Features, LabError> {
        match self.data {
            TaskData::Test => features.tested(),
            TaskData::Also(at) => Ok(&features.also[at]),
        }
    }

    /// Returns the data whose commonest answers a model must beat.
    pub(crate) fn majority_data<'a>(&self, splits: &'a Splits) -> &'a dyn Dataset {
        match self.data {
            TaskData::Test => &*splits.train,
            // Nothing was trained on these data, so the commonest answers are their own: more than
            // a guesser can know.
            TaskData::Also(at) => &*splits.also[at],
        }
    }

    /// Returns the name of the file of samples.
    pub(crate) fn file(&self) -> String {
        match (self.data, self.name.as_str()) {
            (TaskData::Test, QUESTIONS) => "samples.jsonl".to_owned(),
            (TaskData::Test, "caption") => "captions.jsonl".to_owned(),
            (_, name) => format!("{name}.jsonl"),
        }
    }

    /// Returns the questions on the test split, the first task of each cell that has it.
    pub(crate) fn questions(
        registry: &Registry,
        spec: &Spec,
        model_plan: &ModelPlan,
    ) -> Result<Option<Self>, LabError> {
        let Some(name) = &spec.eval.vqa else { return Ok(None) };
        let card = registry.card(Kind::Task, name)?;
        Ok(Some(Self {
            name: QUESTIONS.to_owned(),
            task: Box::new(VqaTask::from_card(&card, &[&model_plan.language()?.card])?),
            limit: at_most(spec.eval.questions),
            data: TaskData::Test,
        }))
    }

    /// Returns the captions of the test split.
    fn captions(
        registry: &Registry,
        spec: &Spec,
        model_plan: &ModelPlan,
    ) -> Result<Option<Self>, LabError> {
        let Some(name) = &spec.eval.caption else { return Ok(None) };
        let card = registry.card(Kind::Task, name)?;
        Ok(Some(Self {
            name: "caption".to_owned(),
            task: Box::new(CaptionTask::from_card(&card, &[&model_plan.language()?.card])?),
            limit: at_most(spec.eval.captions),
            data: TaskData::Test,
        }))
    }
}

/// Returns the tasks of each cell, in their order: questions, captions, those of `eval.also`.
///
/// # Errors
/// If a card does not exist or does not fit.
pub(crate) fn cell_tasks(
    registry: &Registry,
    spec: &Spec,
    model_plan: &ModelPlan,
) -> Result<Vec<CellTask>, LabError> {
    let questions = CellTask::questions(registry, spec, model_plan)?;
    let captions = CellTask::captions(registry, spec, model_plan)?;
    let mut all: Vec<CellTask> = questions.into_iter().chain(captions).collect();
    for (at, also) in spec.eval.also.iter().enumerate() {
        all.push(also_task(registry, spec, model_plan, (at, also))?);
    }
    Ok(all)
}

/// Opens a task of `eval.also`.
fn also_task(
    registry: &Registry,
    spec: &Spec,
    model_plan: &ModelPlan,
    (at, also): (usize, &AlsoSpec),
) -> Result<CellTask, LabError> {
    let card = registry.card(Kind::Task, &also.task)?;
    let family = TaskFamily::of_card(registry, &card)?;
    if family.needs != Needs::Language {
        let what = format!("`eval.also`: `{}` is no task of questions or captions", also.task);
        return Err(LabError::new(what, "measure it with `toolkit eval` when the run is done"));
    }
    let most = match card.family.as_str() {
        "vqa" => spec.eval.questions,
        "caption" => spec.eval.captions,
        _ => 0,
    };
    let task = family.open(&card, &TaskSettings::with_prompts(&[&model_plan.language()?.card]))?;
    Ok(CellTask {
        name: also.name(),
        task,
        limit: at_most(also.limit).into_iter().chain(at_most(most)).min(),
        data: TaskData::Also(at),
    })
}

/// Reads a limit, of which 0 is none.
pub(crate) fn at_most(n: usize) -> Option<usize> {
    (n > 0).then_some(n)
}

/// Returns the hashes of the task cards of an experiment, which are checked before anything is
/// trained: questions, captions, further tasks, retrieval.
///
/// # Errors
/// If one does not exist or does not fit.
pub fn task_hashes(
    registry: &Registry,
    spec: &Spec,
    model_plan: &ModelPlan,
) -> Result<Vec<String>, LabError> {
    cell_tasks(registry, spec, model_plan)?;
    if let Some(retrieve) = &spec.eval.retrieve {
        RetrievalTask::from_card(&registry.card(Kind::Task, retrieve)?)?;
    }
    spec.eval.tasks().map(|name| Ok(card_hash(&registry.card(Kind::Task, name)?))).collect()
}

/// Checks that the data of each further task have what it scores.
///
/// The test split is another matter: a score that it has none of is a dash with a reason.
///
/// # Errors
/// If one has no questions or no captions, with the task and the data.
pub(crate) fn check_also(
    registry: &Registry,
    also: &[AlsoSpec],
    splits: &Splits,
) -> Result<(), LabError> {
    let check = |card: &Card, data: &dyn Dataset| {
        TaskFamily::of_card(registry, card)?.check_data(card, data)
    };
    for (also, data) in also.iter().zip(&splits.also) {
        let card = registry.card(Kind::Task, &also.task)?;
        check(&card, &**data).map_err(|error| match error {
            EvalError::Problem(Problem { what, place, hint }) => {
                LabError::new(format!("`eval.also`: {place}: {what}"), &hint)
            }
            other => other.into(),
        })?;
    }
    Ok(())
}
