//! The lists that LAVIS reads: a row of captions or a question, with the path of a picture. The
//! same lists of other tools differ in the names of their keys.

use super::ImageName;
use super::builder::{Builder, Stop};
use crate::lists::at::At;
use crate::lists::fault::Fault;
use crate::lists::keys;
use crate::lists::row::Row;
use crate::lists::rows::list;
use crate::lists::several;
use crate::lists::values::{ANSWERS, Id, coco_id};
use crate::{DataError, Question, answer_type};
use std::path::Path;

/// Returns the id of a picture: the number that the row has, else COCO's number in the file's name,
/// else the path. A text such as `coco_42` is no number of its own: the file's name has the same.
fn id(path: &str, row: &Row<'_>) -> String {
    let given = ["img_id", "image_id"].into_iter().find_map(|key| {
        let (key, value) = row.first(&[key]).ok()??;
        match Id::read(key, value).ok()? {
            Id::Number(number) if value.first() != Some(&b'"') => Some(number),
            _ => None,
        }
    });
    let number = given.or_else(|| coco_id(path).map(i128::from));
    number.map_or_else(|| path.to_owned(), |number| number.to_string())
}

/// Reads captions. Rows of one picture are put together: training files have a row for each
/// caption.
pub(super) fn captions(
    build: &mut Builder,
    path: &Path,
    name: Option<&ImageName>,
) -> Result<(), DataError> {
    list(path, &[], &mut |at, _, bytes| {
        build.row(at, bytes, |build, row| {
            let picture = build.picture(row, name)?;
            let captions = build.captions_in(at, row, keys::CAPTION)?;
            let id = id(&picture, row);
            let Some(item) = build.item(at, id, picture, "all")? else { return Ok(()) };
            for text in captions {
                build.caption(at, item, text)?;
            }
            Ok(())
        })
    })
}

/// Reads questions. Answers are kept as often as they are given, for they are weights: ten people
/// make ten.
pub(super) fn questions(
    build: &mut Builder,
    path: &Path,
    name: Option<&ImageName>,
    single: bool,
) -> Result<(), DataError> {
    list(path, &["questions"], &mut |at, _, bytes| {
        build.row(at, bytes, |build, row| {
            let picture = build.picture(row, name)?;
            let asked = asked(build, at, row, single)?;
            if single && asked.answers.as_ref().is_some_and(|answers| answers.len() != 1) {
                let what = format!("question {} has not one answer", asked.id);
                let hint = "GQA has one; use `lavis-vqa` for several";
                return Ok(build.fault(Fault::BadRow, Some(at), what, hint)?);
            }
            let id = match row.first(keys::PICTURE)? {
                Some(_) => coco_or_path(&picture),
                None => id(&picture, row),
            };
            let Some(item) = build.item(at, id, picture, "all")? else { return Ok(()) };
            Ok(ask(build, at, item, asked)?)
        })
    })
}

/// Returns the id of a question's picture. Only the path says which it is, as in LAVIS: an
/// `image_id` may be of another data set.
fn coco_or_path(path: &str) -> String {
    coco_id(path).map_or_else(|| path.to_owned(), |number| number.to_string())
}

/// A question as a row has it.
pub(super) struct Asked {
    pub id: u64,
    pub text: String,
    /// None if the row has none.
    pub answers: Option<Vec<String>>,
    pub kind: Option<String>,
}

/// Reads the question of a row. Without an id it gets its number in the file, from 0. `single` is
/// of formats with one answer.
pub(super) fn asked(
    build: &mut Builder,
    at: At,
    row: &Row<'_>,
    single: bool,
) -> Result<Asked, Stop> {
    let text = several::question(row, &mut build.remarks)?;
    let answers = several::answers(row, &ANSWERS, single, &mut build.remarks)?;
    build.lacking.answer(at, row, answers.is_some());
    let number = build.number();
    let id = match row.first(keys::QUESTION_ID)? {
        Some((key, value)) => question_id(build, &Id::read(key, value)?),
        None => number,
    };
    Ok(Asked { id, text, answers, kind: None })
}

/// Returns the number of a question, with a remark if it is made up.
pub(super) fn question_id(build: &mut Builder, id: &Id) -> u64 {
    let number = id.question();
    if id.to_string().trim_start_matches('0') != number.to_string().trim_start_matches('0') {
        let remark = "ids of questions are texts or below zero; results have numbers made of them";
        if !build.remarks.iter().any(|known| known.starts_with(remark)) {
            build.remarks.insert(format!("{remark}, such as {number} for {id}"));
        }
    }
    number
}

/// Adds a question of a format that says nothing about the type of the answer.
pub(super) fn ask(build: &mut Builder, at: At, item: usize, asked: Asked) -> Result<(), DataError> {
    let id = asked.id;
    if asked.text.trim().is_empty() {
        let hint = "write what is asked, or remove the row";
        return build.fault(Fault::BadRow, Some(at), format_args!("question {id} is empty"), hint);
    }
    // One of ten people may have typed nothing, but not all.
    if asked
        .answers
        .as_ref()
        .is_some_and(|answers| answers.iter().all(|answer| answer.trim().is_empty()))
    {
        let hint = "give at least one answer that is not empty, or leave the key out";
        return build.fault(
            Fault::BadRow,
            Some(at),
            format_args!("question {id} has only empty answers"),
            hint,
        );
    }
    let answers = asked.answers.unwrap_or_default();
    let of = answers.first().map_or("other", |answer| answer_type(answer)).to_owned();
    let kind = asked.kind.unwrap_or_else(|| "other".to_owned());
    build.question(at, item, Question { id, text: asked.text, answers, kind, answer_type: of })
}
