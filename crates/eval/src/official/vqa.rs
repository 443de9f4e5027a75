//! Answers in the form of VQAv2: questions, annotations and a list of results.

use super::answer;
use super::file::{Section, index, read, read_rows};
use super::id::Id;
use crate::EvalError;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::Path;
use toolkit_data::{Field, FieldType};
use toolkit_metrics::vqa::{accuracy, normalize_prediction, score};
use toolkit_metrics::{VqaRow, VqaScore};

/// Questions with their given and their right answers.
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
    answer_type: Option<String>,
    question_type: Option<String>,
}

/// Score of one question.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScoredAnswer {
    /// Id of the question.
    pub question_id: Id,
    /// Text of the question.
    pub question: String,
    /// Given answer.
    pub answer: String,
    /// Normalised answer that is compared.
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
    /// The official tool needs both for its breakdowns only.
    question_type: Option<String>,
    answer_type: Option<String>,
    #[serde(deserialize_with = "answer::list")]
    answers: Vec<String>,
}

#[derive(Deserialize)]
struct Row {
    question_id: Id,
    #[serde(deserialize_with = "answer::alone")]
    answer: String,
}

/// Number of other annotators who must have given an answer for it to count in full.
const NEEDED: usize = 3;

/// Number of answers that a question of VQAv2 has.
const ANNOTATORS: usize = 10;

const QUESTIONS: &str = "write {\"questions\": [{\"question_id\", \"image_id\", \"question\"}]}";
const ASKED: &[Section] = &[(
    Some("questions"),
    &[Field::needed("question_id", FieldType::Id), Field::needed("question", FieldType::Text)],
)];
const ANNOTATED: &[Section] = &[(
    Some("annotations"),
    &[
        Field::needed("question_id", FieldType::Id),
        Field::optional("question_type", FieldType::Text),
        Field::optional("answer_type", FieldType::Text),
        Field::needed("answers", FieldType::Answers),
    ],
)];
const ROW: &[Field] =
    &[Field::needed("question_id", FieldType::Id), Field::needed("answer", FieldType::Answer)];
const ANNOTATIONS: &str = "write {\"annotations\": [{\"question_id\", \"answers\": \
    [{\"answer\"}]}]}, with \"question_type\", \"answer_type\" if known";
const RESULTS: &str = "write [{\"question_id\", \"answer\"}], one for each question";

const SAME: &str = "the files must be of the same split";

/// The three files of a scoring.
#[derive(Clone, Copy)]
struct Files<'a> {
    questions: &'a Path,
    annotations: &'a Path,
    results: &'a Path,
}

/// Places of a question, its result and its annotation in their files.
type Match = (usize, usize, usize);

impl Files<'_> {
    /// Matches questions, results and annotations. With `partial`, questions without a result are
    /// left out.
    fn matched(
        self,
        asked: &Questions,
        known: &Annotations,
        given: &[Row],
        partial: bool,
    ) -> Result<Vec<Match>, EvalError> {
        let Self { questions, annotations, results } = self;
        let ids = asked.questions.iter().map(|q| &q.question_id);
        let ids = index("question", ids, questions, QUESTIONS)?;
        let annotated = known.annotations.iter().map(|a| &a.question_id);
        let annotated = index("question", annotated, annotations, ANNOTATIONS)?;
        let answered = given.iter().map(|row| &row.question_id);
        let answered = index("the result of question", answered, results, RESULTS)?;
        if let Some(row) = given.iter().find(|row| !ids.contains_key(&row.question_id)) {
            let (id, questions) = (&row.question_id, questions.display());
            let what = format!("question {id} has a result but is not in {questions}");
            return Err(EvalError::new(what, results.display().to_string(), SAME));
        }
        if let Some(a) = known.annotations.iter().find(|a| !ids.contains_key(&a.question_id)) {
            let (id, questions) = (&a.question_id, questions.display());
            let what = format!("question {id} is annotated but not in {questions}");
            return Err(EvalError::new(what, annotations.display().to_string(), SAME));
        }
        let mut matched = Vec::new();
        let mut missing = Vec::new();
        for (at, question) in asked.questions.iter().enumerate() {
            let id = &question.question_id;
            let Some(&row) = answered.get(id) else {
                missing.push(id);
                continue;
            };
            matched.push((at, row, self.annotation(id, &annotated, known)?));
        }
        self.check_missing(&missing, ids.len(), partial)?;
        if matched.is_empty() {
            let what = "there is nothing to score";
            return Err(EvalError::new(what, results.display().to_string(), RESULTS));
        }
        Ok(matched)
    }

    /// Returns the place of a question's annotation, which must have answers.
    fn annotation(
        self,
        id: &Id,
        annotated: &HashMap<&Id, usize>,
        known: &Annotations,
    ) -> Result<usize, EvalError> {
        let place = self.annotations.display().to_string();
        let Some(&annotation) = annotated.get(id) else {
            let what = format!("question {id} of {} has no annotation", self.questions.display());
            return Err(EvalError::new(what, place, SAME));
        };
        if known.annotations[annotation].answers.is_empty() {
            return Err(EvalError::new(
                format!("question {id} has no answers"),
                place,
                ANNOTATIONS,
            ));
        }
        Ok(annotation)
    }

    /// Refuses questions without a result, unless `partial` allows them.
    fn check_missing(self, missing: &[&Id], all: usize, partial: bool) -> Result<(), EvalError> {
        let Some(first) = missing.first().filter(|_| !partial) else { return Ok(()) };
        let what =
            format!("{} of {all} questions have no result, the first is {first}", missing.len());
        let hint = "answer them all, or score only the questions of the results with `--partial`";
        Err(EvalError::new(what, self.results.display().to_string(), hint))
    }
}

impl VqaFiles {
    /// Reads the three files and joins them. With `partial`, questions without a result are left
    /// out; the official tool refuses such files.
    ///
    /// # Errors
    /// If a file is malformed (with the row and its key), an id comes twice, or the files are not
    /// about the same questions.
    pub fn read(
        questions: &Path,
        annotations: &Path,
        results: &Path,
        partial: bool,
    ) -> Result<Self, EvalError> {
        let asked: Questions = read(questions, QUESTIONS, ASKED)?;
        let mut known: Annotations = read(annotations, ANNOTATIONS, ANNOTATED)?;
        let mut given: Vec<Row> = read_rows(results, RESULTS, ROW)?;
        let files = Files { questions, annotations, results };
        let wanted = files.matched(&asked, &known, &given, partial)?;
        let join = |(at, row, annotation): (usize, usize, usize)| {
            let (question, annotation) = (&asked.questions[at], &mut known.annotations[annotation]);
            let mut answers = std::mem::take(&mut annotation.answers);
            // A list that grew as it was read has room for 16 texts where 10 are.
            answers.shrink_to_fit();
            Joined {
                id: question.question_id.clone(),
                question: question.question.clone(),
                given: std::mem::take(&mut given[row].answer),
                answers,
                answer_type: annotation.answer_type.take(),
                question_type: annotation.question_type.take(),
            }
        };
        Ok(Self { rows: wanted.into_iter().map(join).collect() })
    }

    /// Returns the number of questions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Returns `false`: reading refuses files without questions.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Returns the accuracies that the official tool prints, with no breakdown by a type that a
    /// question lacks.
    #[must_use]
    pub fn score(&self) -> VqaScore {
        let by_answer = self.without(|row| &row.answer_type) == 0;
        let by_question = self.without(|row| &row.question_type) == 0;
        score(self.rows.iter().map(|row| VqaRow {
            prediction: &row.given,
            answers: &row.answers,
            answer_type: row.answer_type.as_deref().filter(|_| by_answer),
            question_type: row.question_type.as_deref().filter(|_| by_question),
        }))
    }

    /// Counts the questions that lack a type.
    fn without(&self, kind: impl Fn(&Joined) -> &Option<String>) -> usize {
        self.rows.iter().filter(|row| kind(row).is_none()).count()
    }

    /// Returns notes on numbers where the official rules surprise.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let all = self.rows.len();
        let mut notes = Vec::new();
        let few = self.rows.iter().filter(|row| row.answers.len() <= NEEDED).count();
        let fewest = self.rows.iter().map(|row| row.answers.len()).min().unwrap_or_default();
        if few > 0 {
            let most = 100.0 * fewest.saturating_sub(1) as f64 / NEEDED as f64;
            notes.push(format!(
                "{few} of {all} questions have fewer than 4 answers, the fewest {fewest}: each annotator's answer is \
                 compared with the other annotators', of whom 3 must agree, so a right answer reaches {most:.2} % at most."
            ));
        }
        let some = self
            .rows
            .iter()
            .filter(|row| (NEEDED + 1..ANNOTATORS).contains(&row.answers.len()))
            .count();
        if some > 0 {
            notes.push(format!(
                "{some} of {all} questions have 4 to 9 answers: published numbers are of 10, with which 3 that agree are \
                 more likely."
            ));
        }
        let empty =
            self.rows.iter().filter(|row| normalize_prediction(&row.given).is_empty()).count();
        if empty > 0 {
            notes.push(format!(
                "{empty} of {all} answers are empty as they are compared: articles and punctuation \
                are taken out."
            ));
        }
        let types = [
            ("question_type", self.without(|row| &row.question_type)),
            ("answer_type", self.without(|row| &row.answer_type)),
        ];
        for (key, without) in types.into_iter().filter(|(_, without)| *without > 0) {
            notes.push(format!(
                "{without} of {all} questions have no `{key}`, so there is no breakdown by it."
            ));
        }
        notes
    }

    /// Returns the scores question by question.
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
