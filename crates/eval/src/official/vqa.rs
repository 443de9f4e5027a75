//! Answers in the form of VQAv2: questions, annotations and a list of results.

use super::file::{Id, index, read};
use crate::EvalError;
use serde::{Deserialize, Serialize};
use std::path::Path;
use toolkit_metrics::vqa::{accuracy, normalize_prediction, score};
use toolkit_metrics::{VqaRow, VqaScore};

/// Questions with what was answered and what is right.
#[derive(Clone, Debug, PartialEq)]
pub struct VqaFiles {
    rows: Vec<Joined>,
}

#[derive(Clone, Debug, PartialEq)]
struct Joined {
    id: Id,
    question: String,
    given: String,
    answers: Vec<String>,
    answer_type: String,
    question_type: String,
}

/// One question's score.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScoredAnswer {
    /// The question.
    pub question_id: Id,
    /// Its text.
    pub question: String,
    /// What was answered.
    pub answer: String,
    /// As it is compared.
    pub normalized: String,
    /// VQA accuracy in percent.
    pub accuracy: f64,
}

#[derive(Deserialize)]
struct Questions {
    questions: Vec<Question>,
}

#[derive(Deserialize)]
struct Question {
    question_id: Id,
    question: String,
}

#[derive(Deserialize)]
struct Annotations {
    annotations: Vec<Annotation>,
}

#[derive(Deserialize)]
struct Annotation {
    question_id: Id,
    question_type: String,
    answer_type: String,
    answers: Vec<Answer>,
}

#[derive(Deserialize)]
struct Answer {
    answer: String,
}

#[derive(Deserialize)]
struct Row {
    question_id: Id,
    answer: String,
}

const QUESTIONS: &str = "write {\"questions\": [{\"question_id\", \"image_id\", \"question\"}]}";
const ANNOTATIONS: &str =
    "write {\"annotations\": [{\"question_id\", \"question_type\", \"answer_type\", \"answers\": [{\"answer\"}]}]}";
const RESULTS: &str = "write [{\"question_id\", \"answer\"}], one for each question";

impl VqaFiles {
    /// Reads the three files and joins them. With `partial`, questions without a result are left out; the official tool
    /// refuses such files.
    ///
    /// # Errors
    /// If a file is malformed (with line and column), an id comes twice, or the files are not about the same questions.
    pub fn read(questions: &Path, annotations: &Path, results: &Path, partial: bool) -> Result<Self, EvalError> {
        let asked: Questions = read(questions, QUESTIONS)?;
        let mut known: Annotations = read(annotations, ANNOTATIONS)?;
        let mut given: Vec<Row> = read(results, RESULTS)?;
        let same = "the files must be of the same split";

        let ids = index("question", asked.questions.iter().map(|q| &q.question_id), questions, QUESTIONS)?;
        let annotated = index("question", known.annotations.iter().map(|a| &a.question_id), annotations, ANNOTATIONS)?;
        let answered = index("the result of question", given.iter().map(|r| &r.question_id), results, RESULTS)?;
        if let Some(row) = given.iter().find(|row| !ids.contains_key(&row.question_id)) {
            let what = format!("question {} has a result but is not in {}", row.question_id, questions.display());
            return Err(EvalError::new(what, results.display().to_string(), same));
        }
        if let Some(a) = known.annotations.iter().find(|a| !ids.contains_key(&a.question_id)) {
            let what = format!("question {} is annotated but not in {}", a.question_id, questions.display());
            return Err(EvalError::new(what, annotations.display().to_string(), same));
        }
        let mut wanted = Vec::new();
        let mut missing = Vec::new();
        for (at, question) in asked.questions.iter().enumerate() {
            let id = &question.question_id;
            let Some(&row) = answered.get(id) else {
                missing.push(id);
                continue;
            };
            let Some(&annotation) = annotated.get(id) else {
                let what = format!("question {id} of {} has no annotation", questions.display());
                return Err(EvalError::new(what, annotations.display().to_string(), same));
            };
            if known.annotations[annotation].answers.is_empty() {
                let what = format!("question {id} has no answers");
                return Err(EvalError::new(what, annotations.display().to_string(), ANNOTATIONS));
            }
            wanted.push((at, row, annotation));
        }
        if let Some(first) = missing.first().filter(|_| !partial) {
            let what = format!("{} of {} questions have no result, the first is {first}", missing.len(), ids.len());
            let hint = "answer them all, or score only the questions of the results with `--partial`";
            return Err(EvalError::new(what, results.display().to_string(), hint));
        }
        if wanted.is_empty() {
            return Err(EvalError::new("there is nothing to score", results.display().to_string(), RESULTS));
        }
        let join = |(at, row, annotation): (usize, usize, usize)| {
            let (question, annotation) = (&asked.questions[at], &mut known.annotations[annotation]);
            Joined {
                id: question.question_id.clone(),
                question: question.question.clone(),
                given: std::mem::take(&mut given[row].answer),
                answers: annotation.answers.drain(..).map(|answer| answer.answer).collect(),
                answer_type: std::mem::take(&mut annotation.answer_type),
                question_type: std::mem::take(&mut annotation.question_type),
            }
        };
        Ok(Self { rows: wanted.into_iter().map(join).collect() })
    }

    /// Number of questions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Never: reading refuses it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// What the official tool prints.
    #[must_use]
    pub fn score(&self) -> VqaScore {
        score(self.rows.iter().map(|row| VqaRow {
            prediction: &row.given,
            answers: &row.answers,
            answer_type: &row.answer_type,
            question_type: &row.question_type,
        }))
    }

    /// Question by question.
    pub fn each(&self) -> impl Iterator<Item = ScoredAnswer> {
        self.rows.iter().map(|row| ScoredAnswer {
            question_id: row.id.clone(),
            question: row.question.clone(),
            answer: row.given.clone(),
            normalized: normalize_prediction(&row.given),
            accuracy: 100.0 * accuracy(&row.given, &row.answers),
        })
    }
}
