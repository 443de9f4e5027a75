//! The question and annotation files of VQAv2 and OK-VQA.

use super::ImageName;
use super::builder::Builder;
use super::fault::Fault;
use super::scalar::Number;
use super::stream::section;
use crate::{DataError, Question};
use serde::Deserialize;
use std::path::Path;

#[derive(Deserialize)]
struct Asked {
    image_id: Number,
    question: String,
    question_id: Number,
}

#[derive(Deserialize)]
struct Annotation {
    question_id: Number,
    image_id: Number,
    question_type: Option<String>,
    answer_type: Option<String>,
    answers: Vec<Answer>,
}

#[derive(Deserialize)]
struct Answer {
    answer: String,
    /// OK-VQA: as it was typed, before stemming.
    raw_answer: Option<String>,
}

pub(super) fn questions(build: &mut Builder, path: &Path, name: &ImageName) -> Result<(), DataError> {
    let found = section(path, "questions", |at, asked: Asked| {
        let id = asked.image_id.0.to_string();
        let picture = name.of(&id);
        let Some(item) = build.item(at, id, picture, "all")? else { return Ok(()) };
        super::lavis::ask(build, at, item, (asked.question_id.0, asked.question), None, None)
    })?;
    build.need(found, "questions")
}

/// To be read after the questions. All answers are kept, in the file's order, however often they repeat.
pub(super) fn answers(build: &mut Builder, path: &Path, raw: bool) -> Result<(), DataError> {
    let found = section(path, "annotations", |at, annotation: Annotation| {
        let id = annotation.question_id.0;
        let Some((item, place)) = build.asked(at, id)? else { return Ok(()) };
        let asked_of = &build.items[item].id;
        if *asked_of != annotation.image_id.0.to_string() {
            let what = format!("question {id} is about picture {asked_of}, not {}", annotation.image_id.0);
            return build.fault(Fault::BadRow, Some(at), what, "the questions are of another version");
        }
        if annotation.answers.iter().all(|answer| answer.answer.trim().is_empty()) {
            let what = format!("question {id} has only empty answers");
            return build.fault(Fault::BadRow, Some(at), what, "get the file again");
        }
        if !build.items[item].questions[place].answers.is_empty() {
            let what = format!("the answers to question {id} are there again");
            return build.fault(Fault::Duplicate, Some(at), what, "every question is annotated once");
        }
        let question: &mut Question = &mut build.items[item].questions[place];
        question.answers = annotation
            .answers
            .into_iter()
            .map(|answer| answer.raw_answer.filter(|_| raw).unwrap_or(answer.answer))
            .collect();
        // The list reuses the space of the longer rows.
        question.answers.shrink_to_fit();
        if let Some(kind) = annotation.question_type {
            question.kind = kind;
        }
        match annotation.answer_type {
            Some(of) => question.answer_type = of,
            None => question.answer_type = crate::answer_type(&question.answers[0]).to_owned(),
        }
        Ok(())
    })?;
    build.need(found, "annotations")
}
