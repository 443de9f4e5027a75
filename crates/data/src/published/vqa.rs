//! The question and annotation files of VQAv2 and OK-VQA.

use super::ImageName;
use super::builder::Builder;
use super::lavis::{Asked, ask, question_id};
use crate::lists::fault::Fault;
use crate::lists::keys;
use crate::lists::rows::section;
use crate::lists::several;
use crate::lists::values::{ANSWERS, Id, Wording, optional};
use crate::{DataError, Question};
use std::path::Path;

/// OK-VQA: the answer as it was typed, before stemming.
const RAW: Wording = Wording { inner: &["raw_answer", "answer"], numbers: true };
const IMAGE: &[&str] = &["image_id", "imageId", "img_id"];

pub(super) fn questions(
    build: &mut Builder,
    path: &Path,
    name: &ImageName,
) -> Result<(), DataError> {
    let found = section(path, "questions", true, &mut |at, _, bytes| {
        build.row(at, bytes, |build, row| {
            let (key, value) = row.need(IMAGE)?;
            let image = Id::numbered(key, value)?.to_string();
            let text = several::question(row, &mut build.remarks)?;
            let (key, value) = row.need(keys::QUESTION_ID)?;
            let id = question_id(build, &Id::read(key, value)?);
            let picture = name.of(&image);
            let Some(item) = build.item(at, image, picture, "all")? else { return Ok(()) };
            Ok(ask(build, at, item, Asked { id, text, answers: None, kind: None })?)
        })
    })?;
    build.need(found, "questions")
}

/// Reads answers, after the questions. All answers are kept, in the file's order, however often
/// they repeat.
pub(super) fn answers(build: &mut Builder, path: &Path, raw: bool) -> Result<(), DataError> {
    let wording = if raw { RAW } else { ANSWERS };
    let found = section(path, "annotations", true, &mut |at, _, bytes| {
        build.row(at, bytes, |build, row| {
            let answers = several::answers(row, &wording, false, &mut build.remarks)?;
            let mut answers = answers.ok_or_else(|| row.lacks("answers"))?;
            let (key, value) = row.need(keys::QUESTION_ID)?;
            let id = question_id(build, &Id::read(key, value)?);
            let Some((item, place)) = build.asked(at, id)? else { return Ok(()) };
            if let Some((key, value)) = row.first(IMAGE)? {
                let (of, asked_of) = (Id::numbered(key, value)?.to_string(), &build.items[item].id);
                if *asked_of != of {
                    let what = format!("question {id} is about picture {asked_of}, not {of}");
                    return Ok(build.fault(
                        Fault::BadRow,
                        Some(at),
                        what,
                        "the questions are of another version",
                    )?);
                }
            }
            if answers.iter().all(|answer| answer.trim().is_empty()) {
                let what = format!("question {id} has only empty answers");
                return Ok(build.fault(Fault::BadRow, Some(at), what, "get the file again")?);
            }
            if !build.items[item].questions[place].answers.is_empty() {
                let what = format!("the answers to question {id} are there again");
                return Ok(build.fault(
                    Fault::Duplicate,
                    Some(at),
                    what,
                    "every question is annotated once",
                )?);
            }
            let kind = optional(row, &["question_type"])?;
            let of = optional(row, &["answer_type"])?;
            let question: &mut Question = &mut build.items[item].questions[place];
            // The list reuses the space of the longer rows.
            answers.shrink_to_fit();
            question.answer_type = of.unwrap_or_else(|| crate::answer_type(&answers[0]).to_owned());
            question.answers = answers;
            if let Some(kind) = kind {
                question.kind = kind;
            }
            Ok(())
        })
    })?;
    build.need(found, "annotations")
}
