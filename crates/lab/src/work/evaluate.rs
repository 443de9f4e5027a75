//! Measurements of a cell, of a stage-1 run and of curves, all by [`toolkit_eval::measure()`].

use crate::experiment::spec::Spec;
use crate::plan::model_plan::ModelPlan;
use crate::plan::splits::Splits;
use crate::run::done::Done;
use crate::run::folder::PIECES;
use crate::work::cell_job::CellJob;
use crate::work::context::RunContext;
use crate::work::feature_store::SplitFeatures;
use crate::work::language::LanguageText;
use crate::work::tasks::{CellTask, QUESTIONS, at_most, cell_tasks};
use crate::work::texts::Texts;
use crate::{LabError, files::read_json, work::blind};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use toolkit_core::{AnyBridge, AnyLanguage};
use toolkit_data::Dataset;
use toolkit_eval::{
    Batches, Control, EvalError, LanguageParts, MeasureOptions, Measured, MeteorTables, ModelParts,
    RetrievalTask, Task, TextParts, measure, same_pictures, write_samples,
};
use toolkit_metrics::{Interval, scores};
use toolkit_models::connector::Connector;
use toolkit_registry::Kind;
use toolkit_system::problem::Problem;
use toolkit_train::features::Features;
use toolkit_train::stage1::itc;
use toolkit_vlm::Generator;

/// Scores and intervals by name: the name of the task, then the score's own
/// ([`toolkit_metrics::scores`]).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NamedScores {
    /// Scores.
    pub scores: BTreeMap<String, f64>,
    /// 95 % bootstrap intervals over pictures.
    pub intervals: BTreeMap<String, Interval>,
}

impl NamedScores {
    /// Adds the scores of a task under its name.
    pub(crate) fn add(&mut self, task: &str, measured: &Measured) {
        let named = |name: &String| format!("{task}.{name}");
        self.scores.extend(measured.scores.iter().map(|(name, score)| (named(name), *score)));
        self.intervals.extend(measured.intervals.iter().map(|(name, own)| (named(name), *own)));
    }
}

/// The final scores of a cell. No time is in here: the same run gives the same bytes.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
pub struct Scores {
    /// Scores by name, in the units of [`toolkit_metrics::scores`].
    pub scores: BTreeMap<String, f64>,
    /// 95 % bootstrap intervals over pictures, of scores that are means over samples.
    #[serde(default)]
    pub intervals: BTreeMap<String, Interval>,
    /// Score of each question, in the order of the split.
    pub questions: Vec<f64>,
    /// Image of each question; of several that show the same, the first.
    pub images: Vec<u64>,
    /// Number of trained parameters.
    pub trained_params: u64,
    /// Pictures that could not be read, a line for each split that has some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// Reasons for scores that surprise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A trained model that generates text, with its pictures' features in a cache.
#[derive(Clone, Copy)]
struct Writer<'a> {
    context: &'a RunContext<'a>,
    connector: &'a Connector,
    generator: Generator<'a>,
}

impl Writer<'_> {
    /// Measures a task on data whose features are cached.
    fn measure(
        &self,
        task: &dyn Task,
        data: &dyn Dataset,
        features: &Features,
        options: MeasureOptions<'_>,
    ) -> Result<Measured, LabError> {
        let connect = |features: Tensor<3>| Ok(self.connector.prefix(features));
        let cached = cached(self.context, features);
        let model = ModelParts {
            features: &cached,
            language: Some(LanguageParts { connect: &connect, generator: self.generator }),
            text: None,
        };
        Ok(measure(&model, task, data, options)?)
    }
}

/// Returns a source of features that reads a cache.
fn cached<'a>(
    context: &'a RunContext<'_>,
    features: &'a Features,
) -> impl Fn(&[usize]) -> Result<Tensor<3>, EvalError> + 'a {
    |items| features.batch(items, &context.device).map_err(EvalError::features)
}

/// Measures one point of the curve: questions of the validation split.
///
/// # Errors
/// If features or prompts cannot be had, or the experiment has no questions or no such split.
pub fn curve_point(
    job: &CellJob<'_>,
    connector: &Connector,
    language: &AnyLanguage,
    features: &SplitFeatures,
) -> Result<BTreeMap<String, f64>, LabError> {
    let (registry, spec) = (job.context.registry, &job.cell.spec);
    let text = LanguageText::new(job.model_plan)?;
    let generator = text.generator(language);
    let writer = Writer { context: job.context, connector, generator };
    let none = || Problem::defect("a curve without questions or their data");
    let task = CellTask::questions(registry, spec, job.model_plan)?.ok_or_else(none)?;
    let (data, features) = job.splits.val.as_ref().zip(features.val.as_ref()).ok_or_else(none)?;
    let meteor = MeteorTables::new(registry);
    let options = MeasureOptions {
        limit: at_most(spec.eval.curve_questions),
        ..MeasureOptions::new(spec.eval.batch, &meteor)
    };
    let measured = writer.measure(&*task.task, &**data, features, options)?;
    let mut point = NamedScores::default();
    point.add(&task.name, &measured);
    Ok(point.scores)
}

/// Measures everything at the end of a cell, on the test split: answers with their controls,
/// captions, and the retrieval of the stage-1 run that the cell started from (stage 2 does not
/// train the text side).
///
/// Writes the samples beside the scores. A kill costs a batch of the task it falls in, and nothing
/// of those before.
///
/// # Errors
/// If features, prompts or files cannot be had.
pub fn final_scores(
    job: &CellJob<'_>,
    connector: &Connector,
    features: &SplitFeatures,
    done: &mut Done,
) -> Result<Scores, LabError> {
    let registry = job.context.registry;
    let tasks = cell_tasks(registry, &job.cell.spec, job.model_plan)?;
    let text = LanguageText::new(job.model_plan)?;
    let language = job.model_plan.language_model(registry, &job.context.device)?;
    let generator = text.generator(&language);
    let mut end = CellEnd {
        job,
        features,
        writer: Writer { context: job.context, connector, generator },
        meteor: &MeteorTables::new(registry),
        done,
        found: NamedScores::default(),
        notes: Vec::new(),
    };
    let mut answers = Measured::default();
    for task in &tasks {
        let measured = end.task(task)?;
        if task.name == QUESTIONS {
            answers = measured;
        }
    }
    let CellEnd { found, notes, .. } = end;
    let same = job.splits.test.as_ref().map(|test| same_pictures(&**test)).unwrap_or_default();
    let mut scores = stage1_scores(job)?;
    scores.scores.extend(found.scores);
    scores.intervals.extend(found.intervals);
    Ok(Scores {
        questions: answers.rows.iter().filter_map(|row| row["score"].as_f64()).collect(),
        images: answers.items.iter().map(|item| same[*item] as u64).collect(),
        notes,
        ..scores
    })
}

/// Returns the scores of the stage-1 run that a cell started from: all that a cell without stage 2
/// has.
///
/// # Errors
/// If a file of the stage-1 run is missing or damaged.
pub fn stage1_scores(job: &CellJob<'_>) -> Result<Scores, LabError> {
    let mut scores = Scores { trained_params: job.model_plan.trained_params, ..Scores::default() };
    if let Some(key) = job.stage1 {
        scores.scores = job.context.stage1_scores(key)?;
        scores.intervals = job.context.stage1_intervals(key)?;
    }
    Ok(scores)
}

/// The measurements at the end of a cell.
struct CellEnd<'a> {
    job: &'a CellJob<'a>,
    features: &'a SplitFeatures,
    writer: Writer<'a>,
    meteor: &'a MeteorTables<'a>,
    done: &'a mut Done,
    found: NamedScores,
    notes: Vec<String>,
}

impl CellEnd<'_> {
    /// Measures a task, with its controls if it has any, and writes its samples.
    fn task(&mut self, task: &CellTask) -> Result<Measured, LabError> {
        let measured = self.measure(task, &task.name, None)?;
        self.found.add(&task.name, &measured);
        self.notes.extend(measured.notes.iter().map(|note| format!("{}: {note}", task.name)));
        if task.task.has_controls() {
            self.controls(task)?;
        }
        // Of captions there may be none, and then no file.
        if task.task.has_controls() || !measured.rows.is_empty() {
            write_samples(&self.job.dir().join(task.file()), &measured.rows)?;
        }
        Ok(measured)
    }

    /// Measures a task with wrong pictures, without pictures, and without a model.
    fn controls(&mut self, task: &CellTask) -> Result<(), LabError> {
        let name = &task.name;
        let shuffled = Control::Shuffled { seed: self.job.cell.seed };
        let measured = self.measure(task, &format!("{name}-shuffled"), Some(shuffled))?;
        self.found.add(&format!("{name}.{}", scores::SHUFFLED), &measured);
        let blind: Measured = read_json(&blind::dir(self.job).join(format!("{name}.json")))?;
        self.found.add(&format!("{name}.{}", scores::NO_IMAGE), &blind);
        let options = MeasureOptions {
            limit: task.limit,
            control: Some(Control::Majority(task.majority_data(self.job.splits))),
            ..MeasureOptions::new(self.job.cell.spec.eval.batch, self.meteor)
        };
        let (data, features) = (task.data(self.job.splits)?, task.features(self.features)?);
        // Without training questions there is no commonest answer.
        if let Ok(majority) = self.writer.measure(&*task.task, data, features, options) {
            self.found.add(&format!("{name}.{}", scores::MAJORITY), &majority);
        }
        Ok(())
    }

    /// Measures a task under a control, unless an earlier run did; `name` names the files of what
    /// is done.
    fn measure(
        &mut self,
        task: &CellTask,
        name: &str,
        control: Option<Control<'_>>,
    ) -> Result<Measured, LabError> {
        let Self { job, features, writer, meteor, done, .. } = self;
        let (batch, dir) = (job.cell.spec.eval.batch, job.dir());
        done.once(&dir, &format!("{PIECES}/{name}.json"), job.context.reporter, || {
            let (data, features) = (task.data(job.splits)?, task.features(features)?);
            let mut texts = Texts::open(&dir, name, data.len(), batch)?;
            let options = MeasureOptions {
                limit: task.limit,
                control,
                ..MeasureOptions::new(Batches::stored(batch, &mut texts), meteor)
            };
            writer.measure(&*task.task, data, features, options)
        })
    }
}

/// Measures retrieval among test images by a stage-1 bridge on a plain device: contrast alone and
/// re-ranked by matching. Of fewer than two pictures there are no scores, nor if the experiment
/// does not ask for them.
///
/// # Errors
/// If features or captions cannot be had.
pub fn retrieval(
    context: &RunContext<'_>,
    spec: &Spec,
    model_plan: &ModelPlan,
    splits: &Splits,
    features: &SplitFeatures,
    bridge: &AnyBridge,
) -> Result<NamedScores, LabError> {
    let Some(name) = &spec.eval.retrieve else { return Ok(NamedScores::default()) };
    let (test, features) = (&**splits.tested()?, features.tested()?);
    let card = context.registry.card(Kind::Task, name)?;
    let task = RetrievalTask::from_card(&card)?;
    let (tokenizer, special_tokens) = model_plan.text_special_tokens()?;
    let tower = bridge
        .text_tower()
        .ok_or_else(|| LabError::new("this bridge has no text tower", "retrieval needs one"))?;
    let limit = at_most(spec.eval.retrieval);
    let mut found = NamedScores::default();
    let (most, processor) = (limit.or(task.limit), task.text_processor.as_ref());
    if task.pool.of(test, most, processor).len() < 2 {
        return Ok(found);
    }
    let cached = cached(context, features);
    let text = TextParts {
        tower,
        tokenizer: &tokenizer,
        special_tokens,
        positions: model_plan.bridge.shape.text.as_ref().map_or(usize::MAX, |text| text.positions),
        contrast: spec.stage1.as_ref().is_none_or(|one| one.losses.get(itc::NAME) != 0.0),
    };
    let model = ModelParts { features: &cached, language: None, text: Some(text) };
    let meteor = MeteorTables::new(context.registry);
    let options = MeasureOptions { limit, ..MeasureOptions::new(spec.eval.batch, &meteor) };
    found.add("retrieval", &measure(&model, &task, test, options)?);
    Ok(found)
}
