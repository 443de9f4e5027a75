//! Visual Genome: described regions, and questions in its own form or as LAVIS' list.

use super::ImageName;
use super::builder::Builder;
use super::fault::Fault;
use super::scalar::{Number, Texts};
use super::stream::{At, rows};
use crate::DataError;
use serde::Deserialize;
use std::path::Path;

#[derive(Deserialize)]
struct Described {
    id: Number,
    regions: Vec<Region>,
}

#[derive(Deserialize)]
struct Region {
    image_id: Option<Number>,
    phrase: String,
}

#[derive(Deserialize)]
struct Row {
    /// Visual Genome's own form.
    id: Option<Number>,
    qas: Option<Vec<Asked>>,
    /// LAVIS' form.
    image: Option<String>,
    question: Option<String>,
    question_id: Option<Number>,
    answer: Option<Texts>,
}

#[derive(Deserialize)]
struct Asked {
    qa_id: Number,
    image_id: Option<Number>,
    question: String,
    answer: String,
}

/// Whether an annotation inside the row of picture `id` is about another one.
fn stray(build: &mut Builder, at: At, id: u64, inner: Option<Number>) -> Result<bool, DataError> {
    let Some(other) = inner.filter(|inner| inner.0 != id) else { return Ok(false) };
    let what = format!("picture {id} has an annotation of picture {}", other.0);
    build.fault(Fault::Orphan, Some(at), what, "get the file again")?;
    Ok(true)
}

/// Every phrase is a caption of the whole picture; the boxes are not kept.
pub(super) fn regions(build: &mut Builder, path: &Path, name: &ImageName) -> Result<(), DataError> {
    rows(path, |at, row: Described| {
        let id = row.id.0;
        let Some(item) = build.image(at, id.to_string(), name.of(&id.to_string()), "all")? else { return Ok(()) };
        for region in row.regions {
            if !stray(build, at, id, region.image_id)? {
                build.caption(at, item, region.phrase)?;
            }
        }
        Ok(())
    })
}

/// A row without a question id gets its number in the file, from 0.
pub(super) fn questions(build: &mut Builder, path: &Path, name: Option<&ImageName>) -> Result<(), DataError> {
    rows(path, |at, row: Row| match (row.image, row.question, row.id, row.qas) {
        (Some(image), Some(question), _, None) => {
            let Some(item) = build.item(at, image.clone(), image, "all")? else { return Ok(()) };
            let number = build.number();
            let id = row.question_id.map_or(number, |id| id.0);
            super::lavis::ask(build, at, item, (id, question), row.answer.map(|texts| texts.0), None)
        }
        (None, None, Some(Number(id)), Some(asked)) => {
            let Some(name) = name else {
                let hint = "add `image_name = \"{id}.jpg\"` to the split";
                return build.fault(Fault::BadRow, Some(at), "the picture has only an id", hint);
            };
            let text = id.to_string();
            let picture = name.of(&text);
            let Some(item) = build.image(at, text, picture, "all")? else { return Ok(()) };
            for qa in asked {
                if !stray(build, at, id, qa.image_id)? {
                    super::lavis::ask(build, at, item, (qa.qa_id.0, qa.question), Some(vec![qa.answer]), None)?;
                }
            }
            Ok(())
        }
        _ => build.fault(
            Fault::BadRow,
            Some(at),
            "neither `image` and `question` nor `id` and `qas`",
            "question_answers.json of Visual Genome and vg_qa.json of LAVIS are read",
        ),
    })
}
