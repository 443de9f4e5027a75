//! GQA's own files: an object of questions by id.

use super::ImageName;
use super::builder::Builder;
use super::fault::Fault;
use super::scalar::{Id, digits};
use super::stream::entries;
use crate::DataError;
use serde::Deserialize;
use std::path::Path;

#[derive(Deserialize)]
struct Asked {
    #[serde(rename = "imageId")]
    image_id: Id,
    question: String,
    answer: Option<String>,
    types: Option<Types>,
}

#[derive(Deserialize)]
struct Types {
    structural: Option<String>,
}

/// The id `"05515938"` becomes 5515938, as in LAVIS' files. `kind` is the structural type, if the file has it.
pub(super) fn read(build: &mut Builder, path: &Path, name: &ImageName) -> Result<(), DataError> {
    entries(path, |at, key, asked: Asked| {
        let Some(number) = digits(&key) else {
            let what = format!("'{key}' is no question id");
            return build.fault(Fault::BadRow, Some(at), what, "GQA's ids are digits, below 2^64");
        };
        let id = asked.image_id.to_string();
        let picture = name.of(&id);
        let Some(item) = build.item(at, id, picture, "all")? else { return Ok(()) };
        let kind = asked.types.and_then(|types| types.structural);
        super::lavis::ask(build, at, item, (number, asked.question), asked.answer.map(|a| vec![a]), kind)
    })
}
