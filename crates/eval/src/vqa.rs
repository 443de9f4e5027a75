//! Zero-shot visual question answering by generation (BLIP-2, section 4.1; LAVIS
//! `predict_answers`).

use crate::source::Prefixes;
use crate::{Batches, EvalError, PrefixSource, VqaTask};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use toolkit_data::Dataset;
use toolkit_metrics::VqaRow;
use toolkit_metrics::vqa::{accuracy, normalize_prediction, score};
use toolkit_vlm::Generator;

/// One answered question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VqaRowResult {
    /// The item.
    pub id: String,
    /// The question.
    pub question_id: u64,
    /// Its kind.
    pub kind: String,
    /// `yes/no`, `number` or `other`.
    pub answer_type: String,
    /// The item's group.
    pub group: String,
    /// The question.
    pub question: String,
    /// What the language model read after the prefix; empty for a baseline that reads nothing.
    pub prompt: String,
    /// Right answers.
    pub answers: Vec<String>,
    /// What was written.
    pub raw: String,
    /// As it is compared (BLIP-2 specification, section 8.1).
    pub answer: String,
    /// VQA accuracy in `[0, 1]`.
    pub score: f64,
}

/// VQA accuracies in percent, to two decimals as the official tool prints them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VqaResult {
    /// In the order of the questions given.
    pub rows: Vec<VqaRowResult>,
    /// Over all questions; `None` if there are none.
    pub overall: Option<f64>,
    /// By kind of question.
    pub per_kind: BTreeMap<String, f64>,
    /// By `yes/no`, `number` and `other`.
    pub per_answer_type: BTreeMap<String, f64>,
    /// By group of the item.
    pub per_group: BTreeMap<String, f64>,
}

/// Asks `questions` (item, question of the item) of a language model behind the images' prefixes,
/// in batches. Without `prefixes` it answers from the words alone. An image's prefix is computed
/// once for all its questions.
///
/// # Errors
/// If there is no such question, or prefixes or text cannot be made.
pub fn vqa<'a>(
    generator: &Generator<'_>,
    prefixes: Option<&PrefixSource<'_>>,
    dataset: &dyn Dataset,
    questions: &[(usize, usize)],
    task: &VqaTask,
    batches: impl Into<Batches<'a>>,
) -> Result<VqaResult, EvalError> {
    check(dataset, questions)?;
    let mut batches = batches.into();
    let mut order: Vec<usize> = (0..questions.len()).collect();
    order.sort_by_key(|&at| questions[at]);
    let mut prefixes = prefixes.map(Prefixes::new);
    let mut raw = vec![String::new(); questions.len()];
    for (batch, chunk) in order.chunks(batches.size()).enumerate() {
        let items: Vec<usize> = chunk.iter().map(|&at| questions[at].0).collect();
        let texts = match batches.held(batch, chunk.len()) {
            Some(held) => {
                prefixes.iter_mut().for_each(|p| p.skip(&items));
                held
            }
            None => {
                let prefix = prefixes.as_mut().map(|p| p.of(&items)).transpose()?;
                let prompts: Vec<String> =
                    chunk.iter().map(|&at| prompt(task, dataset, questions[at])).collect();
                let texts = generator.write(prefix, &prompts, &task.decoding)?;
                batches.keep(batch, &texts)?;
                texts
            }
        };
        for (&at, text) in chunk.iter().zip(texts) {
            raw[at] = text;
        }
    }
    let prompts = questions.iter().map(|&question| prompt(task, dataset, question));
    Ok(scored(dataset, questions, prompts.zip(raw).collect()))
}

fn prompt(task: &VqaTask, dataset: &dyn Dataset, (item, question): (usize, usize)) -> String {
    task.prompt.replace("{}", &dataset.item(item).questions[question].text)
}

pub(crate) fn check(dataset: &dyn Dataset, questions: &[(usize, usize)]) -> Result<(), EvalError> {
    let there = |&&(item, question): &&(usize, usize)| {
        item < dataset.len() && question < dataset.item(item).questions.len()
    };
    if let Some((item, question)) = questions.iter().find(|pair| !there(pair)) {
        let what = format!("there is no question {question} of item {item}");
        return Err(EvalError::new(
            what,
            dataset.name(),
            "take the questions from `question_pairs` of the same data set",
        ));
    }
    let asked = |&(item, question): &(usize, usize)| &dataset.item(item).questions[question];
    match questions.iter().map(asked).find(|question| question.answers.is_empty()) {
        None => Ok(()),
        Some(question) => {
            let what = format!("question {} has no answers to compare with", question.id);
            Err(EvalError::new(
                what,
                dataset.name(),
                "published test splits keep them back: measure on another split",
            ))
        }
    }
}

/// The answers as the official scorer wants them: those of ten annotators. Fewer are a list of
/// right answers, each of which counts in full; they are normalised as a prediction is, as in GQA,
/// because no annotators' clean-up has been over them. Nothing said is never right.
fn annotations(answers: &[String], prediction: &str) -> Vec<String> {
    if answers.len() >= 10 {
        return answers.to_vec();
    }
    let said = normalize_prediction(prediction);
    let right = answers
        .iter()
        .map(|answer| normalize_prediction(answer))
        .find(|answer| !said.is_empty() && *answer == said);
    vec![right.unwrap_or_else(|| "(none of these)".to_owned()); 10]
}

/// Scores (prompt, raw answer) of each question.
pub(crate) fn scored(
    dataset: &dyn Dataset,
    questions: &[(usize, usize)],
    given: Vec<(String, String)>,
) -> VqaResult {
    let row = |(&(item, question), (prompt, raw)): (&(usize, usize), (String, String))| {
        let item = dataset.item(item);
        let question = &item.questions[question];
        VqaRowResult {
            id: item.id.clone(),
            question_id: question.id,
            kind: question.kind.clone(),
            answer_type: question.answer_type.clone(),
            group: item.group.clone(),
            question: question.text.clone(),
            prompt,
            answers: question.answers.clone(),
            answer: normalize_prediction(&raw),
            score: accuracy(&raw, &annotations(&question.answers, &raw)),
            raw,
        }
    };
    let rows: Vec<VqaRowResult> = questions.iter().zip(given).map(row).collect();
    let answers: Vec<Vec<String>> =
        rows.iter().map(|row| annotations(&row.answers, &row.raw)).collect();
    let by = |name: fn(&VqaRowResult) -> &str| {
        score(rows.iter().zip(&answers).map(|(row, answers)| official(row, answers, name)))
    };
    let kinds = by(|row| &row.kind);
    let per_group = by(|row| &row.group).per_question_type;
    let (overall, per_kind, per_answer_type) =
        (kinds.overall, kinds.per_question_type, kinds.per_answer_type);
    VqaResult { rows, overall, per_kind, per_answer_type, per_group }
}

fn official<'a>(
    row: &'a VqaRowResult,
    answers: &'a [String],
    name: fn(&VqaRowResult) -> &str,
) -> VqaRow<'a> {
    VqaRow {
        prediction: &row.raw,
        answers,
        answer_type: Some(&row.answer_type),
        question_type: Some(name(row)),
    }
}
