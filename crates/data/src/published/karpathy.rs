//! Karpathy's division of COCO and Flickr30k: one file, with the split in each row. Own files may
//! have own splits.

use super::builder::Builder;
use crate::DataError;
use crate::lists::fault::Fault;
use crate::lists::keys;
use crate::lists::rows::section;
use crate::lists::values::{Id, optional};
use std::collections::BTreeMap;
use std::path::Path;

const FILE: &[&str] = &["filename", "file_name", "image", "image_path", "path"];
const TEXTS: &[&[&str]] =
    &[&["sentences", "sentence"], keys::JUST_CAPTION, &["raw"], &["text", "texts"]];

pub(super) fn read(build: &mut Builder, path: &Path, select: &[String]) -> Result<(), DataError> {
    let mut splits: BTreeMap<String, u64> = BTreeMap::new();
    let found = section(path, "images", true, &mut |at, _, bytes| {
        build.row(at, bytes, |build, row| {
            let Some(split) = optional(row, &["split"])? else {
                return Err(row.lacks("split").into());
            };
            match splits.get_mut(&split) {
                Some(count) => *count += 1,
                None => drop(splits.insert(split.clone(), 1)),
            }
            if !select.contains(&split) {
                return Ok(());
            }
            let (key, value) = row.need(FILE)?;
            let file = crate::lists::values::path(key, value)?;
            let name = match optional(row, &["filepath"])?.filter(|folder| !folder.is_empty()) {
                Some(folder) => format!("{folder}/{file}"),
                None => file,
            };
            let id = match row.first(&["cocoid", "imgid", "image_id", "id"])? {
                Some((key, value)) => Id::numbered(key, value)?.to_string(),
                None => name.clone(),
            };
            let captions = build.captions_in(at, row, TEXTS)?;
            let Some(item) = build.image(at, id, name, "all")? else { return Ok(()) };
            for caption in captions {
                build.caption(at, item, caption)?;
            }
            Ok(())
        })
    })?;
    build.need(found, "images")?;
    if splits.is_empty() || select.iter().any(|split| splits.contains_key(split)) {
        return Ok(());
    }
    let has: Vec<String> =
        splits.iter().map(|(split, count)| format!("{split} ({count})")).collect();
    let what =
        format!("no row is of the split {}; the file has {}", select.join(" or "), has.join(", "));
    build.fault(
        Fault::DamagedFile,
        None,
        what,
        "say in `select` of the split which of them belong to it",
    )
}
