//! What is measured of a cell, of a stage-1 run and of the controls.

use crate::experiment::spec::{AlsoSpec, Spec};
use crate::plan::fingerprint::card_hash;
use crate::plan::parts::Resolved;
use crate::plan::splits::Splits;
use crate::run::done::Done;
use crate::run::folder::PIECES;
use crate::work::captions::same_pictures;
use crate::work::cell::CellJob;
use crate::work::context::RunContext;
use crate::work::feature_store::SplitFeatures;
use crate::work::texts::Texts;
use crate::{LabError, files::read_json, work::blind};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use toolkit_core::{AnyBridge, AnyLanguage, LanguageSpecialTokens};
use toolkit_data::Dataset;
use toolkit_eval::{
    Batches, CaptionResult, CaptionTask, EvalError, RetrievalTask, Task, VqaResult, VqaTask,
    caption, captioned_items, derangement, majority_baseline, question_pairs, retrieve, vqa,
    write_samples,
};
use toolkit_models::connector::Connector;
use toolkit_registry::{Kind, Registry};
use toolkit_train::TrainError;
use toolkit_train::features::Features;
use toolkit_train::stage1::itc;
use toolkit_vlm::{Generator, ModelTokenizer};

/// The final scores of a cell. No time is in here: the same run gives the same bytes.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
pub struct Scores {
    /// By name, in percent but for CIDEr.
    pub scores: BTreeMap<String, f64>,
    /// Score of each question, in the order of the split.
    pub questions: Vec<f64>,
    /// Image of each question; of several that show the same, the first.
    pub images: Vec<u64>,
    /// Parameters that were trained.
    pub trained_params: u64,
    /// Pictures that could not be read, a line for each split that has some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

pub(crate) fn limit(n: usize) -> Option<usize> {
    (n > 0).then_some(n)
}

/// The smaller of two limits, where 0 is none.
pub(crate) fn least(a: usize, b: usize) -> Option<usize> {
    limit(a).into_iter().chain(limit(b)).min()
}

/// The tasks of an experiment that generate.
pub(crate) struct Tasks {
    pub(crate) vqa: VqaTask,
    caption: CaptionTask,
    pub(crate) also: Vec<Task>,
}

impl Tasks {
    pub(crate) fn new(
        registry: &Registry,
        spec: &Spec,
        resolved: &Resolved,
    ) -> Result<Self, LabError> {
        let language = &resolved.language.0;
        let card = |name: &str| registry.card(Kind::Task, name);
        Ok(Self {
            vqa: VqaTask::from_card(&card(&spec.eval.vqa)?, &[language])?,
            caption: CaptionTask::from_card(&card(&spec.eval.caption)?, &[language])?,
            also: spec
                .eval
                .also
                .iter()
                .map(|a| Ok(Task::from_card(&card(&a.task)?, &[language])?))
                .collect::<Result<_, LabError>>()?,
        })
    }
}

/// Hashes of the task cards of an experiment, which are checked before anything is trained:
/// questions, captions, further tasks, retrieval.
///
/// # Errors
/// If one does not exist or does not fit.
pub fn task_hashes(
    registry: &Registry,
    spec: &Spec,
    resolved: &Resolved,
) -> Result<Vec<String>, LabError> {
    let eval = &spec.eval;
    for (task, also) in Tasks::new(registry, spec, resolved)?.also.iter().zip(&eval.also) {
        if matches!(task, Task::Retrieval(_)) {
            let what = format!("`eval.also`: `{}` is no task of questions or captions", also.task);
            return Err(LabError::new(what, "measure it with `toolkit eval` when the run is done"));
        }
    }
    RetrievalTask::from_card(&registry.card(Kind::Task, &eval.retrieve)?)?;
    let hash = |name: &String| Ok(card_hash(&registry.card(Kind::Task, name)?));
    let also = eval.also.iter().map(|also| &also.task);
    [&eval.vqa, &eval.caption].into_iter().chain(also).chain([&eval.retrieve]).map(hash).collect()
}

/// Checks that the data of each further task have what it scores. The test split is another
/// matter: a score that it has none of is a dash with a reason.
///
/// # Errors
/// If one has no questions or no captions, with the task and the data.
pub(crate) fn check_also(
    registry: &Registry,
    also: &[AlsoSpec],
    splits: &Splits,
) -> Result<(), LabError> {
    for (also, data) in also.iter().zip(&splits.also) {
        let card = registry.card(Kind::Task, &also.task)?;
        Task::check_data(&card, &**data).map_err(|error| match error {
            EvalError::Other { what, at, hint } => {
                LabError::new(format!("`eval.also`: {at}: {what}"), &hint)
            }
            other => other.into(),
        })?;
    }
    Ok(())
}

pub(crate) struct Voice {
    tokenizer: ModelTokenizer,
    special_tokens: LanguageSpecialTokens,
}

impl Voice {
    pub(crate) fn new(resolved: &Resolved) -> Result<Self, LabError> {
        let (tokenizer, special_tokens) = resolved.language_special_tokens()?;
        Ok(Self { tokenizer: ModelTokenizer::from_card(tokenizer), special_tokens })
    }
    pub(crate) fn generator<'a>(
        &'a self,
        resolved: &'a Resolved,
        language: &'a AnyLanguage,
    ) -> Generator<'a> {
        Generator {
            language,
            shape: &resolved.language.1,
            special_tokens: self.special_tokens,
            tokenizer: Some(&self.tokenizer),
        }
    }
}

/// Puts the scores of an answer sheet into `scores` under `prefix`; of no questions there are none.
fn record(scores: &mut BTreeMap<String, f64>, prefix: &str, result: &VqaResult) {
    scores.extend(result.overall.map(|overall| (format!("{prefix}.overall"), overall)));
    for (kind, score) in &result.per_kind {
        scores.insert(format!("{prefix}.kind.{kind}"), *score);
    }
    for (group, score) in &result.per_group {
        scores.insert(format!("{prefix}.group.{group}"), *score);
    }
}

fn record_captions(scores: &mut BTreeMap<String, f64>, prefix: &str, result: &CaptionResult) {
    let Some(overall) = result.overall else { return };
    scores.insert(format!("{prefix}.cider"), overall.cider);
    scores.insert(format!("{prefix}.bleu4"), 100.0 * overall.bleu4);
    scores.insert(format!("{prefix}.rouge_l"), 100.0 * overall.rouge_l);
    for (group, summary) in &result.per_group {
        scores.insert(format!("{prefix}.group.{group}.cider"), summary.cider);
    }
}

/// One point of the curve: questions of the validation split.
///
/// # Errors
/// If features or prompts cannot be had.
pub fn curve_point(
    job: &CellJob<'_>,
    connector: &Connector,
    language: &AnyLanguage,
    features: &SplitFeatures,
) -> Result<BTreeMap<String, f64>, LabError> {
    let spec = &job.cell.spec;
    let (tasks, voice) =
        (Tasks::new(job.context.registry, spec, job.resolved)?, Voice::new(job.resolved)?);
    let val = &*job.splits.val;
    let prefixes = |items: &[usize]| -> Result<_, TrainError> {
        Ok(connector.prefix(features.val.batch(items, &job.context.device)?))
    };
    let questions = question_pairs(val, limit(spec.eval.curve_questions));
    let result = vqa(
        &voice.generator(job.resolved, language),
        Some(&prefixes),
        val,
        &questions,
        &tasks.vqa,
        spec.eval.batch,
    )?;
    let mut scores = BTreeMap::new();
    record(&mut scores, "vqa", &result);
    Ok(scores)
}

/// Everything at the end, on the test split: answers with their controls, captions, and the
/// retrieval of the stage-1 run that the cell started from (stage 2 does not train the text side).
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
    let spec = &job.cell.spec;
    let (tasks, voice) =
        (Tasks::new(job.context.registry, spec, job.resolved)?, Voice::new(job.resolved)?);
    let language = job.resolved.language_model(job.context.registry, &job.context.device)?;
    let generator = voice.generator(job.resolved, &language);
    let mut last = Last { job, connector, generator: &generator, done, scores: BTreeMap::new() };
    let test = On {
        name: "vqa",
        file: "samples.jsonl",
        data: &*job.splits.test,
        features: &features.test,
    };
    let questions = question_pairs(test.data, limit(spec.eval.questions));
    let answers = last.answers(&test, &questions, &tasks.vqa)?;
    if let Ok(majority) = majority_baseline(&*job.splits.train, test.data, &questions) {
        record(&mut last.scores, "vqa.majority", &majority);
    }
    let items = captioned_items(test.data, limit(spec.eval.captions));
    if !items.is_empty() {
        last.captions(
            &On { name: "caption", file: "captions.jsonl", ..test },
            &items,
            &tasks.caption,
        )?;
    }
    for (at, (also, task)) in spec.eval.also.iter().zip(&tasks.also).enumerate() {
        let (name, data) = (also.name(), &*job.splits.also[at]);
        let on =
            On { name: &name, file: &format!("{name}.jsonl"), data, features: &features.also[at] };
        match task {
            Task::Vqa(task) => {
                let questions = question_pairs(data, least(also.limit, spec.eval.questions));
                last.answers(&on, &questions, task)?;
                // Nothing was trained on this data, so the commonest answers are its own: more than
                // a guesser can know.
                if let Ok(majority) = majority_baseline(data, data, &questions) {
                    record(&mut last.scores, &format!("{name}.majority"), &majority);
                }
            }
            Task::Caption(task) => {
                last.captions(
                    &on,
                    &captioned_items(data, least(also.limit, spec.eval.captions)),
                    task,
                )?;
            }
            Task::Retrieval(_) => {}
        }
    }
    let mut scores = last.scores;
    if let Some(key) = job.stage1 {
        scores.extend(job.context.stage1_scores(key)?);
    }
    let same = same_pictures(test.data);
    Ok(Scores {
        scores,
        questions: answers.rows.iter().map(|row| row.score).collect(),
        images: questions.iter().map(|(item, _)| same[*item] as u64).collect(),
        trained_params: job.resolved.trained_params,
        left_out: Vec::new(),
    })
}

/// Retrieval among test images by a stage-1 bridge on a plain device: contrast alone and re-ranked
/// by matching.
///
/// # Errors
/// If features or captions cannot be had.
pub fn retrieval(
    context: &RunContext<'_>,
    spec: &Spec,
    resolved: &Resolved,
    splits: &Splits,
    features: &Features,
    bridge: &AnyBridge,
) -> Result<BTreeMap<String, f64>, LabError> {
    let mut task =
        RetrievalTask::from_card(&context.registry.card(Kind::Task, &spec.eval.retrieve)?)?;
    let positions = resolved.bridge.1.text.as_ref().map_or(usize::MAX, |text| text.positions);
    task.config.contrast = spec.stage1.losses.get(itc::NAME) != 0.0;
    task.config.max_tokens = task.config.max_tokens.min(positions);
    let (tokenizer, special_tokens) = resolved.text_special_tokens()?;
    let tower = bridge
        .text_tower()
        .ok_or_else(|| LabError::new("this bridge has no text tower", "retrieval needs one"))?;
    let test = &*splits.test;
    let pool = task.pool.of(test, limit(spec.eval.retrieval));
    let mut scores = BTreeMap::new();
    if pool.len() < 2 {
        return Ok(scores);
    }
    let items: Vec<usize> = pool.iter().map(|(item, _)| *item).collect();
    let captions =
        pool.iter().map(|(_, texts)| texts.iter().map(|text| tokenizer.encode(text)).collect());
    let captions = captions.collect::<Result<Vec<Vec<Vec<u32>>>, _>>()?;
    let read = |items: &[usize]| features.batch(items, &context.device);
    let result = retrieve(tower, &read, &items, &captions, special_tokens, task.config)?;
    for (name, r) in [("itc", Some(&result.itc)), ("itm", result.itm.as_ref())] {
        let Some(r) = r else { continue };
        for (key, value) in [
            ("txt_r1", r.txt_r1),
            ("txt_r5", r.txt_r5),
            ("txt_r10", r.txt_r10),
            ("img_r1", r.img_r1),
            ("img_r5", r.img_r5),
            ("img_r10", r.img_r10),
        ] {
            scores.insert(format!("retrieval.{name}.{key}"), value);
        }
    }
    scores.insert("retrieval.chance.r1".to_owned(), result.chance_r1);
    scores.insert("retrieval.images".to_owned(), items.len() as f64);
    if let Some(accuracy) = result.itm_accuracy {
        scores.insert("retrieval.itm.hard_negative_accuracy".to_owned(), accuracy);
    }
    Ok(scores)
}

/// Data of a task at the end of a cell.
#[derive(Clone, Copy)]
struct On<'a> {
    /// Beginning of the names of its scores.
    name: &'a str,
    /// Where its samples go.
    file: &'a str,
    data: &'a dyn Dataset,
    features: &'a Features,
}

impl On<'_> {
    fn prefixes(
        &self,
        job: &CellJob<'_>,
        connector: &Connector,
        items: &[usize],
    ) -> Result<Tensor<3>, TrainError> {
        Ok(connector.prefix(self.features.batch(items, &job.context.device)?))
    }
}

/// The evaluation at the end of a cell.
struct Last<'a> {
    job: &'a CellJob<'a>,
    connector: &'a Connector,
    generator: &'a Generator<'a>,
    done: &'a mut Done,
    scores: BTreeMap<String, f64>,
}

impl Last<'_> {
    /// Answers with their controls: the same questions with another image, where what is left was
    /// not seen but guessed, and with none.
    fn answers(
        &mut self,
        on: &On<'_>,
        questions: &[(usize, usize)],
        task: &VqaTask,
    ) -> Result<VqaResult, LabError> {
        let name = on.name;
        let other = derangement(on.data.len(), self.job.cell.seed);
        let right = |item: usize| item;
        let wrong = |item: usize| other[item];
        let answers = self.ask(on, name, &right, questions, task)?;
        record(&mut self.scores, name, &answers);
        let shuffled = self.ask(on, &format!("{name}-shuffled"), &wrong, questions, task)?;
        record(&mut self.scores, &format!("{name}.shuffled"), &shuffled);
        let blind: VqaResult = read_json(&blind::dir(self.job).join(format!("{name}.json")))?;
        record(&mut self.scores, &format!("{name}.no_image"), &blind);
        write_samples(&self.job.dir().join(on.file), &answers.rows)?;
        Ok(answers)
    }

    /// Answers to questions, each with the image `shown` instead of its own.
    fn ask(
        &mut self,
        on: &On<'_>,
        name: &str,
        shown: &dyn Fn(usize) -> usize,
        questions: &[(usize, usize)],
        task: &VqaTask,
    ) -> Result<VqaResult, LabError> {
        let Self { job, connector, generator, done, .. } = self;
        let (batch, dir) = (job.cell.spec.eval.batch, job.dir());
        let prefixes = |items: &[usize]| {
            let shown: Vec<usize> = items.iter().map(|&item| shown(item)).collect();
            on.prefixes(job, connector, &shown)
        };
        done.once(&dir, &format!("{PIECES}/{name}.json"), || {
            let mut texts = Texts::open(&dir, name, questions.len(), batch)?;
            let batches = Batches::kept(batch, &mut texts);
            Ok(vqa(generator, Some(&prefixes), on.data, questions, task, batches)?)
        })
    }

    fn captions(
        &mut self,
        on: &On<'_>,
        items: &[usize],
        task: &CaptionTask,
    ) -> Result<(), LabError> {
        let Self { job, connector, generator, done, .. } = self;
        let (batch, dir) = (job.cell.spec.eval.batch, job.dir());
        let prefixes = |items: &[usize]| on.prefixes(job, connector, items);
        let captions = done.once(&dir, &format!("{PIECES}/{}.json", on.name), || {
            let mut texts = Texts::open(&dir, on.name, items.len(), batch)?;
            let batches = Batches::kept(batch, &mut texts);
            Ok(caption(generator, Some(&prefixes), on.data, items, task, batches)?)
        })?;
        record_captions(&mut self.scores, on.name, &captions);
        Ok(write_samples(&dir.join(on.file), &captions.rows)?)
    }
}
