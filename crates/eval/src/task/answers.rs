//! Scores of answers to questions.

use crate::EvalError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use toolkit_data::Dataset;
use toolkit_metrics::VqaRow;
use toolkit_metrics::scores;
use toolkit_metrics::vqa::{accuracy, normalize_prediction, score};

/// Answer to a question, with its score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VqaRowResult {
    /// Id of the item.
    pub id: String,
    /// Id of the question.
    pub question_id: u64,
    /// Kind of question.
    pub kind: String,
    /// `yes/no`, `number` or `other`.
    pub answer_type: String,
    /// Group of the item.
    pub group: String,
    /// Question.
    pub question: String,
    /// Prompt behind the prefix; empty for a baseline that reads nothing.
    pub prompt: String,
    /// Right answers.
    pub answers: Vec<String>,
    /// Generated text.
    pub raw: String,
    /// Normalised text that is compared (BLIP-2 specification, section 8.1).
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

impl VqaResult {
    /// Returns the scores by name.
    pub(super) fn scores(&self) -> BTreeMap<String, f64> {
        let overall = self.overall.map(|overall| (scores::OVERALL.key.to_owned(), overall));
        let parts = [
            (scores::ANSWER_TYPE, &self.per_answer_type),
            (scores::KIND, &self.per_kind),
            (scores::GROUP, &self.per_group),
        ];
        let parts = parts.into_iter().flat_map(|(by, all)| {
            all.iter().map(move |(name, value)| (format!("{by}.{name}"), *value))
        });
        overall.into_iter().chain(parts).collect()
    }
}

/// Checks that all `questions` are there and have answers to compare with.
///
/// # Errors
/// Naming the first that is not or has none.
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
    let unanswered = |&(item, question): &(usize, usize)| {
        let asked = &dataset.item(item).questions[question];
        asked.answers.is_empty().then_some(asked.id)
    };
    match questions.iter().find_map(unanswered) {
        None => Ok(()),
        Some(id) => {
            let what = format!("question {id} has no answers to compare with");
            Err(EvalError::new(
                what,
                dataset.name(),
                "published test splits keep them back: measure on another split",
            ))
        }
    }
}

/// Returns the answers as the official scorer wants them: those of ten annotators.
///
/// Fewer are a list of right answers, each of which counts in full. They are normalised as a
/// prediction is, as in GQA, because nobody cleaned them up. An empty prediction is never right.
fn annotations(answers: &[String], prediction: &str) -> Vec<String> {
    if answers.len() >= 10 {
        return answers.to_vec();
    }
    let predicted = normalize_prediction(prediction);
    let right = answers
        .iter()
        .map(|answer| normalize_prediction(answer))
        .find(|answer| !predicted.is_empty() && *answer == predicted);
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
