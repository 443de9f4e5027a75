//! GQA's own files: an object of questions by id.

use super::ImageName;
use super::builder::Builder;
use super::lavis::{Asked, ask, question_id};
use crate::DataError;
use crate::lists::row::{Row, text_of};
use crate::lists::rows::entries;
use crate::lists::several;
use crate::lists::values::{ANSWERS, Id, optional};
use std::path::Path;

/// Reads a file. The id `"05515938"` becomes 5515938, as in LAVIS' files. `kind` is the structural
/// type, if the file has it.
pub(super) fn read(build: &mut Builder, path: &Path, name: &ImageName) -> Result<(), DataError> {
    entries(path, &mut |at, id, bytes| {
        build.row(at, bytes, |build, row| {
            let (key, value) = row.need(&["imageId", "image_id"])?;
            let image = Id::read(key, value)?.to_string();
            let (key, value) = row.need(&["question"])?;
            let text = text_of(key, value)?;
            let answers = several::answers(row, &ANSWERS, true, &mut build.remarks)?;
            let kind = match row.first(&["types"])? {
                Some((_, types)) => optional(&Row::parse(types)?, &["structural"])?,
                None => None,
            };
            build.lacking.answer(at, row, answers.is_some());
            let picture = name.of(&image);
            let id = question_id(build, &Id::Text(id.to_owned()));
            let Some(item) = build.item(at, image, picture, "all")? else { return Ok(()) };
            Ok(ask(build, at, item, Asked { id, text, answers, kind })?)
        })
    })
}
