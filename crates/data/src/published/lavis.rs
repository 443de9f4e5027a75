//! The lists that LAVIS reads: a row of captions or a question, with the path of a picture.

use super::builder::Builder;
use super::fault::Fault;
use super::image_name::coco_id;
use super::scalar::{Id, Number, Texts};
use super::stream::{At, rows};
use crate::{DataError, Question, answer_type};
use serde::Deserialize;
use std::path::Path;

#[derive(Deserialize)]
struct Captioned {
    image: String,
    caption: Option<Texts>,
    image_id: Option<Id>,
    /// NoCaps.
    img_id: Option<Id>,
}

#[derive(Deserialize)]
struct Asked {
    image: String,
    question: String,
    question_id: Number,
    answer: Option<Texts>,
}

/// The id of a picture: the number that the row has, else COCO's number in the file's name, else the path. A text such
/// as `coco_42` is no number of its own: the file's name has the same.
fn id(path: &str, ids: &[Option<Id>]) -> String {
    let given = ids.iter().find_map(|id| match id {
        Some(Id::Number(number)) => Some(*number),
        _ => None,
    });
    given.or_else(|| coco_id(path)).map_or_else(|| path.to_owned(), |number| number.to_string())
}

/// Rows of one picture are put together: training files have a row for each caption.
pub(super) fn captions(build: &mut Builder, path: &Path) -> Result<(), DataError> {
    rows(path, |at, row: Captioned| {
        let id = id(&row.image, &[row.img_id, row.image_id]);
        let Some(item) = build.item(at, id, row.image, "all")? else { return Ok(()) };
        for text in row.caption.into_iter().flat_map(|texts| texts.0) {
            build.caption(at, item, text)?;
        }
        Ok(())
    })
}

/// Answers are kept as often as they are given, for they are weights: ten people make ten.
pub(super) fn questions(build: &mut Builder, path: &Path, single: bool) -> Result<(), DataError> {
    rows(path, |at, row: Asked| {
        let answers = row.answer.map(|texts| texts.0);
        if single && answers.as_ref().is_some_and(|answers| answers.len() != 1) {
            let what = format!("question {} has not one answer", row.question_id.0);
            return build.fault(Fault::BadRow, Some(at), what, "GQA has one; use `lavis-vqa` for several");
        }
        let id = id(&row.image, &[]);
        let Some(item) = build.item(at, id, row.image, "all")? else { return Ok(()) };
        ask(build, at, item, (row.question_id.0, row.question), answers, None)
    })
}

/// Adds a question of a format that says nothing about the type of the answer. `answers` is none if the row has none.
pub(super) fn ask(
    build: &mut Builder,
    at: At,
    item: usize,
    (id, text): (u64, String),
    answers: Option<Vec<String>>,
    kind: Option<String>,
) -> Result<(), DataError> {
    if text.trim().is_empty() {
        let hint = "write what is asked, or remove the row";
        return build.fault(Fault::BadRow, Some(at), format_args!("question {id} is empty"), hint);
    }
    // One of ten people may have typed nothing, but not all.
    if answers.as_ref().is_some_and(|answers| answers.iter().all(|answer| answer.trim().is_empty())) {
        let hint = "give at least one answer that is not empty, or leave the key out";
        return build.fault(Fault::BadRow, Some(at), format_args!("question {id} has only empty answers"), hint);
    }
    let answers = answers.unwrap_or_default();
    let of = answers.first().map_or("other", |answer| answer_type(answer)).to_owned();
    let kind = kind.unwrap_or_else(|| "other".to_owned());
    build.question(at, item, Question { id, text, answers, kind, answer_type: of })
}
