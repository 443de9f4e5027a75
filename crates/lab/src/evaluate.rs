//! What is measured of a cell, of a stage-1 run and of the controls.

use crate::LabError;
use crate::cell::CellJob;
use crate::done::{Done, PIECES};
use crate::parts::{Resolved, Splits, card_hash};
use crate::pretrain::hash_json;
use crate::spec::Spec;
use crate::stages::{SplitFeatures, Workshop, read_json, same_pictures};
use crate::texts::Texts;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use toolkit_core::{AnyBridge, AnyLanguage};
use toolkit_data::Dataset;
use toolkit_eval::{
    Batches, CaptionResult, CaptionTask, PrefixSource, RetrievalTask, Speaker, Task, VqaResult, VqaTask, caption,
    captioned_items, derangement, majority_baseline, question_pairs, retrieve, vqa, write_samples,
};
use toolkit_models::connector::Connector;
use toolkit_registry::{Kind, Registry, TextTokenizer};
use toolkit_train::TrainError;
use toolkit_train::features::Features;
use toolkit_train::stage2::LanguageMarks;

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

fn limit(n: usize) -> Option<usize> {
    (n > 0).then_some(n)
}

/// The smaller of two limits, where 0 is none.
fn least(a: usize, b: usize) -> Option<usize> {
    limit(a).into_iter().chain(limit(b)).min()
}

/// The tasks of an experiment that generate.
struct Tasks {
    vqa: VqaTask,
    caption: CaptionTask,
    also: Vec<Task>,
}

impl Tasks {
    fn new(registry: &Registry, spec: &Spec, resolved: &Resolved) -> Result<Self, LabError> {
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

/// Hashes of the task cards of an experiment, which are checked before anything is trained: questions, captions, further
/// tasks, retrieval.
///
/// # Errors
/// If one does not exist or does not fit.
pub fn task_hashes(registry: &Registry, spec: &Spec, resolved: &Resolved) -> Result<Vec<String>, LabError> {
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

struct Voice {
    tokenizer: TextTokenizer,
    marks: LanguageMarks,
}

impl Voice {
    fn new(resolved: &Resolved) -> Result<Self, LabError> {
        let (tokenizer, marks) = resolved.language_marks()?;
        Ok(Self { tokenizer, marks })
    }
    fn speaker<'a>(&'a self, resolved: &'a Resolved, language: &'a AnyLanguage) -> Speaker<'a> {
        Speaker { language, shape: &resolved.language.1, tokenizer: &self.tokenizer, marks: self.marks }
    }
}

/// Puts the scores of an answer sheet into `scores` under `prefix`; of no questions there are none.
fn record(scores: &mut BTreeMap<String, f64>, prefix: &str, result: &VqaResult) {
    scores.extend(result.overall.map(|overall| (format!("{prefix}.overall"), overall)));
    for (kind, score) in &result.per_kind {
        scores.insert(format!("{prefix}.kind.{kind}"), *score);
    }
    for (group, score) in &result.per_group {
        scores.insert(format!("{prefix}.{group}"), *score);
    }
}

fn record_captions(scores: &mut BTreeMap<String, f64>, prefix: &str, result: &CaptionResult) {
    let Some(overall) = result.overall else { return };
    scores.insert(format!("{prefix}.cider"), overall.cider);
    scores.insert(format!("{prefix}.bleu4"), 100.0 * overall.bleu4);
    scores.insert(format!("{prefix}.rouge_l"), 100.0 * overall.rouge_l);
    for (group, summary) in &result.per_group {
        scores.insert(format!("{prefix}.{group}.cider"), summary.cider);
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
    let (tasks, voice) = (Tasks::new(job.shop.registry, spec, job.resolved)?, Voice::new(job.resolved)?);
    let val = &*job.splits.val;
    let prefixes = |items: &[usize]| -> Result<_, TrainError> {
        Ok(connector.prefix(features.val.batch(items, &job.shop.device)?))
    };
    let questions = question_pairs(val, limit(spec.eval.curve_questions));
    let result =
        vqa(&voice.speaker(job.resolved, language), Some(&prefixes), val, &questions, &tasks.vqa, spec.eval.batch)?;
    let mut scores = BTreeMap::new();
    record(&mut scores, "vqa", &result);
    Ok(scores)
}

/// Everything at the end, on the test split: answers with their controls, captions, and the retrieval of the stage-1 run that
/// the cell started from (stage 2 does not train the text side). Writes the samples beside the scores.
///
/// # Errors
/// If features, prompts or files cannot be had.
pub fn final_scores(
    job: &CellJob<'_>,
    connector: &Connector,
    features: &SplitFeatures,
    done: &mut Done,
) -> Result<Scores, LabError> {
    let (spec, dir) = (&job.cell.spec, &job.dir());
    let (tasks, voice) = (Tasks::new(job.shop.registry, spec, job.resolved)?, Voice::new(job.resolved)?);
    let language = job.resolved.language_model(job.shop.registry, &job.shop.device)?;
    let speaker = voice.speaker(job.resolved, &language);
    let test = &*job.splits.test;
    let prefix_of = |items: &[usize]| -> Result<_, TrainError> {
        Ok(connector.prefix(features.test.batch(items, &job.shop.device)?))
    };
    let prefixes: &PrefixSource<'_> = &prefix_of;
    let same = same_pictures(test);
    let mut scores = BTreeMap::new();
    let questions = question_pairs(test, limit(spec.eval.questions));
    let asked = Asked { name: "vqa", data: test, questions: &questions, task: &tasks.vqa };
    let answers = answers(job, &speaker, prefixes, &asked, &mut scores, done)?;
    if let Ok(majority) = majority_baseline(&*job.splits.train, test, &questions) {
        record(&mut scores, "vqa.majority", &majority);
    }
    write_samples(&dir.join("samples.jsonl"), &answers.rows)?;

    let items = captioned_items(test, limit(spec.eval.captions));
    if !items.is_empty() {
        let batch = spec.eval.batch;
        let compute = || {
            let mut texts = Texts::open(dir, "caption", items.len(), batch)?;
            Ok(caption(&speaker, Some(prefixes), test, &items, &tasks.caption, Batches::kept(batch, &mut texts))?)
        };
        let captions = done.once(dir, &format!("{PIECES}/caption.json"), compute)?;
        record_captions(&mut scores, "caption", &captions);
        write_samples(&dir.join("captions.jsonl"), &captions.rows)?;
    }
    for (at, (also, task)) in spec.eval.also.iter().zip(&tasks.also).enumerate() {
        let (name, data) = (also.name(), &*job.splits.also[at]);
        let prefix_of = |items: &[usize]| -> Result<_, TrainError> {
            Ok(connector.prefix(features.also[at].batch(items, &job.shop.device)?))
        };
        let path = dir.join(format!("{name}.jsonl"));
        match task {
            Task::Vqa(task) => {
                let questions = question_pairs(data, least(also.limit, spec.eval.questions));
                let asked = Asked { name: &name, data, questions: &questions, task };
                let answers = self::answers(job, &speaker, &prefix_of, &asked, &mut scores, done)?;
                // Nothing was trained on this data, so the commonest answers are its own: more than a guesser can know.
                if let Ok(majority) = majority_baseline(data, data, &questions) {
                    record(&mut scores, &format!("{name}.majority"), &majority);
                }
                write_samples(&path, &answers.rows)?;
            }
            Task::Caption(task) => {
                let items = captioned_items(data, least(also.limit, spec.eval.captions));
                let batch = spec.eval.batch;
                let compute = || {
                    let mut texts = Texts::open(dir, &name, items.len(), batch)?;
                    Ok(caption(&speaker, Some(&prefix_of), data, &items, task, Batches::kept(batch, &mut texts))?)
                };
                let captions = done.once(dir, &format!("{PIECES}/{name}.json"), compute)?;
                record_captions(&mut scores, &name, &captions);
                write_samples(&path, &captions.rows)?;
            }
            Task::Retrieval(_) => {}
        }
    }
    if let Some(key) = job.stage1 {
        scores.extend(job.shop.stage1_scores(key)?);
    }
    Ok(Scores {
        scores,
        questions: answers.rows.iter().map(|row| row.score).collect(),
        images: questions.iter().map(|(item, _)| same[*item] as u64).collect(),
        trained_params: job.resolved.trained_params,
        left_out: Vec::new(),
    })
}

/// Retrieval among test images by a stage-1 bridge on a plain device: contrast alone and re-ranked by matching.
///
/// # Errors
/// If features or captions cannot be had.
pub fn retrieval(
    shop: &Workshop<'_>,
    spec: &Spec,
    resolved: &Resolved,
    splits: &Splits,
    features: &Features,
    bridge: &AnyBridge,
) -> Result<BTreeMap<String, f64>, LabError> {
    let mut task = RetrievalTask::from_card(&shop.registry.card(Kind::Task, &spec.eval.retrieve)?)?;
    let positions = resolved.bridge.1.text.as_ref().map_or(usize::MAX, |text| text.positions);
    task.config.contrast = spec.stage1.losses.itc != 0.0;
    task.config.max_tokens = task.config.max_tokens.min(positions);
    let (tokenizer, marks) = resolved.text_marks()?;
    let tower =
        bridge.text_tower().ok_or_else(|| LabError::new("this bridge has no text tower", "retrieval needs one"))?;
    let test = &*splits.test;
    let pool = task.pool.of(test, limit(spec.eval.retrieval));
    let mut scores = BTreeMap::new();
    if pool.len() < 2 {
        return Ok(scores);
    }
    let items: Vec<usize> = pool.iter().map(|(item, _)| *item).collect();
    let captions = pool.iter().map(|(_, texts)| texts.iter().map(|text| tokenizer.encode(text)).collect());
    let captions = captions.collect::<Result<Vec<Vec<Vec<u32>>>, _>>()?;
    let read = |items: &[usize]| features.batch(items, &shop.device);
    let result = retrieve(tower, &read, &items, &captions, marks, task.config)?;
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
        scores.insert("retrieval.itm_hard_negative_accuracy".to_owned(), accuracy);
    }
    Ok(scores)
}

/// Questions with how they are asked.
struct Asked<'a> {
    name: &'a str,
    data: &'a dyn Dataset,
    questions: &'a [(usize, usize)],
    task: &'a VqaTask,
}

/// Answers with their controls: the same questions with another image, where what is left was not seen but guessed, and with none.
fn answers(
    job: &CellJob<'_>,
    speaker: &Speaker<'_>,
    prefixes: &PrefixSource<'_>,
    asked: &Asked<'_>,
    scores: &mut BTreeMap<String, f64>,
    done: &mut Done,
) -> Result<VqaResult, LabError> {
    let Asked { name, data, questions, task } = asked;
    let (batch, dir) = (job.cell.spec.eval.batch, &job.dir());
    // A kill costs a batch of the task it falls in, and nothing of those before.
    let mut ask = |name: &str, prefixes: &PrefixSource<'_>| {
        let compute = || {
            let mut texts = Texts::open(dir, name, questions.len(), batch)?;
            Ok(vqa(speaker, Some(prefixes), *data, questions, task, Batches::kept(batch, &mut texts))?)
        };
        done.once(dir, &format!("{PIECES}/{name}.json"), compute)
    };
    let answers = ask(name, prefixes)?;
    record(scores, name, &answers);
    let other = derangement(data.len(), job.cell.seed);
    let wrong = |items: &[usize]| prefixes(&items.iter().map(|&i| other[i]).collect::<Vec<_>>());
    let shuffled = ask(&format!("{name}-shuffled"), &wrong)?;
    record(scores, &format!("{name}.shuffled"), &shuffled);
    record(scores, &format!("{name}.no_image"), &read_json::<VqaResult>(&blind_dir(job).join(format!("{name}.json")))?);
    Ok(answers)
}

/// Names a blind control: the language model, the tasks, the questions.
#[must_use]
pub fn blind_key(job: &CellJob<'_>) -> String {
    let eval = &job.cell.spec.eval;
    hash_json(&serde_json::json!([
        card_hash(&job.resolved.language.0),
        job.cell.tasks,
        eval.questions,
        eval.also,
        job.splits.test.fingerprint(),
        job.splits.also.iter().map(|data| data.fingerprint()).collect::<Vec<_>>(),
    ]))
}

fn blind_dir(job: &CellJob<'_>) -> PathBuf {
    job.shop.out.join("controls").join(blind_key(job))
}

/// The language model's answers to the questions of each task without any image, computed once.
///
/// # Errors
/// If the language model or prompts cannot be had.
pub fn blind(job: &CellJob<'_>) -> Result<(), LabError> {
    let dir = &blind_dir(job);
    let mut done = Done::settle(dir, job.shop.reporter)?;
    if done.whole {
        return Ok(());
    }
    let splits = match job.splits.max_damaged {
        0 => job.splits.clone(),
        _ => job.splits.readable(&job.shop.features(job.resolved, job.splits)?)?,
    };
    let eval = &job.cell.spec.eval;
    let (tasks, voice) = (Tasks::new(job.shop.registry, &job.cell.spec, job.resolved)?, Voice::new(job.resolved)?);
    let language = job.resolved.language_model(job.shop.registry, &job.shop.device)?;
    let speaker = voice.speaker(job.resolved, &language);
    let mut ask = |name: &str, data: &dyn Dataset, most, task: &VqaTask| {
        let compute = || {
            let questions = question_pairs(data, most);
            let mut texts = Texts::open(dir, name, questions.len(), eval.batch)?;
            Ok(vqa(&speaker, None, data, &questions, task, Batches::kept(eval.batch, &mut texts))?)
        };
        done.once(dir, &format!("{name}.json"), compute)
    };
    ask("vqa", &*splits.test, limit(eval.questions), &tasks.vqa)?;
    for ((also, task), data) in eval.also.iter().zip(&tasks.also).zip(&splits.also) {
        if let Task::Vqa(task) = task {
            ask(&also.name(), &**data, least(also.limit, eval.questions), task)?;
        }
    }
    done.seal(dir)?;
    let _ = std::fs::remove_dir_all(dir.join(PIECES));
    Ok(())
}
