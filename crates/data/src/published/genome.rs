//! Visual Genome: described regions, and questions in its own form or as LAVIS' list.

use super::ImageName;
use super::builder::{Builder, Stop};
use super::lavis::{Asked, ask, asked, question_id};
use crate::DataError;
use crate::lists::at::At;
use crate::lists::fault::Fault;
use crate::lists::keys;
use crate::lists::row::{Row, elements};
use crate::lists::rows::list;
use crate::lists::several;
use crate::lists::values::{ANSWERS, Id};
use std::path::Path;

/// Keys of a region's text.
const PHRASE: &[&[&str]] = &[&["phrase"], keys::JUST_CAPTION, &["text"]];

/// Returns `true` if an annotation inside the row of picture `id` is about another one.
fn stray(build: &mut Builder, at: At, id: &str, inner: &Row<'_>) -> Result<bool, Stop> {
    let Some((key, value)) = inner.first(&["image_id"])? else { return Ok(false) };
    let other = Id::numbered(key, value)?.to_string();
    if other == id {
        return Ok(false);
    }
    let what = format!("picture {id} has an annotation of picture {other}");
    build.fault(Fault::Orphan, Some(at), what, "get the file again")?;
    Ok(true)
}

/// Returns the id of a row's picture, and the rows inside it under `key`.
fn inside<'a>(row: &Row<'a>, key: &'static str) -> Result<(String, Vec<Row<'a>>), String> {
    let (name, value) = row.need(&["id", "image_id"])?;
    let id = Id::numbered(name, value)?.to_string();
    let (_, value) = row.need(&[key])?;
    let rows = elements(value)?.into_iter().map(Row::parse).collect::<Result<_, _>>()?;
    Ok((id, rows))
}

/// Reads regions. Every phrase is a caption of the whole picture; the boxes are not read.
pub(super) fn regions(build: &mut Builder, path: &Path, name: &ImageName) -> Result<(), DataError> {
    list(path, &[], &mut |at, _, bytes| {
        build.row(at, bytes, |build, row| {
            let (id, regions) = inside(row, "regions")?;
            let Some(item) = build.image(at, id.clone(), name.of(&id), "all")? else {
                return Ok(());
            };
            for region in regions {
                if !stray(build, at, &id, &region)? {
                    let phrases = several::captions(&region, PHRASE, &mut build.remarks)?;
                    for text in phrases.ok_or_else(|| region.lacks("phrase"))? {
                        build.caption(at, item, text)?;
                    }
                }
            }
            Ok(())
        })
    })
}

/// Reads questions of pictures, or pictures of questions.
pub(super) fn questions(
    build: &mut Builder,
    path: &Path,
    name: Option<&ImageName>,
) -> Result<(), DataError> {
    list(path, &["questions"], &mut |at, _, bytes| {
        build.row(at, bytes, |build, row| {
            if row.first(&["qas"])?.is_some() {
                return of_picture(build, at, row, name);
            }
            if row.first(keys::QUESTION)?.is_none() {
                return Err(Stop::Row(format!(
                    "neither `image` and `question` nor `id` and `qas`; it {}",
                    row.lacks("question")
                )));
            }
            let picture = build.picture(row, name)?;
            let asked = asked(build, at, row, false)?;
            let Some(item) = build.item(at, picture.clone(), picture, "all")? else {
                return Ok(());
            };
            Ok(ask(build, at, item, asked)?)
        })
    })
}

/// Reads a row of Visual Genome's own form.
fn of_picture(
    build: &mut Builder,
    at: At,
    row: &Row<'_>,
    name: Option<&ImageName>,
) -> Result<(), Stop> {
    let (id, asked) = inside(row, "qas")?;
    let Some(name) = name else {
        let hint = "add `image_name = \"{id}.jpg\"` to the split";
        return Ok(build.fault(Fault::BadRow, Some(at), "the picture has only an id", hint)?);
    };
    let picture = name.of(&id);
    let Some(item) = build.image(at, id.clone(), picture, "all")? else { return Ok(()) };
    for inner in asked {
        if !stray(build, at, &id, &inner)? {
            let (key, value) = inner.need(&["qa_id", "question_id"])?;
            let number = question_id(build, &Id::read(key, value)?);
            let text = several::question(&inner, &mut build.remarks)?;
            let answers = several::answers(&inner, &ANSWERS, false, &mut build.remarks)?;
            let answers = Some(answers.ok_or_else(|| inner.lacks(keys::ANSWER[0]))?);
            ask(build, at, item, Asked { id: number, text, answers, kind: None })?;
        }
    }
    Ok(())
}
