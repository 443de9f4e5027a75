//! Karpathy's division of COCO and Flickr30k: one file, with the split in each row.

use super::builder::Builder;
use super::fault::Fault;
use super::scalar::Number;
use super::stream::section;
use crate::DataError;
use serde::Deserialize;
use std::path::Path;

const SPLITS: [&str; 4] = ["train", "restval", "val", "test"];

#[derive(Deserialize)]
struct Image {
    /// Of COCO: the folder, `val2014`.
    filepath: Option<String>,
    filename: String,
    imgid: Number,
    cocoid: Option<Number>,
    split: String,
    sentences: Vec<Sentence>,
}

#[derive(Deserialize)]
struct Sentence {
    raw: String,
}

pub(super) fn read(build: &mut Builder, path: &Path, select: &[String]) -> Result<(), DataError> {
    let found = section(path, "images", |at, image: Image| {
        if !SPLITS.contains(&image.split.as_str()) {
            let what = format!("'{}' is no split", image.split);
            return build.fault(Fault::BadRow, Some(at), what, "train, restval, val or test");
        }
        if !select.contains(&image.split) {
            return Ok(());
        }
        let name = match image.filepath.filter(|folder| !folder.is_empty()) {
            Some(folder) => format!("{folder}/{}", image.filename),
            None => image.filename,
        };
        let id = image.cocoid.unwrap_or(image.imgid).0.to_string();
        let Some(item) = build.image(at, id, name, "all")? else { return Ok(()) };
        for sentence in image.sentences {
            build.caption(at, item, sentence.raw)?;
        }
        Ok(())
    })?;
    build.need(found, "images")
}
