//! A list in COCO's form: pictures with ids in `images`, captions of the ids in `annotations`.

use super::entry::Entry;
use super::list_rows::{EXAMPLE, ListRows};
use crate::DataError;
use crate::lists::fault::{Fault, FaultSink};
use crate::lists::keys::{CAPTION, IMAGE_ID, PICTURE};
use crate::lists::row::Row;
use crate::lists::rows::section;
use crate::lists::several::{self, Notes};
use crate::lists::text::{line_error, one_line};
use crate::lists::values::{Id, path as picture_path};
use std::collections::HashMap;
use std::path::Path;

/// Reads a list in COCO's form. None if it has another form.
///
/// # Errors
/// If the file cannot be read, or the first fault that may not be left out.
pub(super) fn read(path: &Path, faults: &mut dyn FaultSink) -> Result<Option<ListRows>, DataError> {
    let Some(names) = names(path)? else { return Ok(None) };
    let mut found = ListRows::default();
    let there = section(path, "annotations", false, &mut |at, _, bytes| {
        found.rows += 1;
        match Row::parse(bytes).and_then(|row| entry(&row, &names, &mut found.notes)) {
            Ok(entry) => found.entries.push((at.line, entry)),
            Err(what) => {
                let what = one_line(&format!("{at}: {what}"));
                faults.report_error(Fault::BadRow, line_error(path, at.line, what, EXAMPLE))?;
            }
        }
        Ok(())
    })?;
    Ok(there.then_some(found))
}

/// Reads the files of pictures by their ids. None if there are none: then the list has another
/// form.
fn names(path: &Path) -> Result<Option<HashMap<String, String>>, DataError> {
    let mut names = HashMap::new();
    let there = section(path, "images", false, &mut |_, _, bytes| {
        let Ok(row) = Row::parse(bytes) else { return Ok(()) };
        if let (Ok(Some((id_key, id))), Ok(Some((key, file)))) =
            (row.first(&["id", "image_id"]), row.first(PICTURE))
            && let (Ok(id), Ok(file)) = (Id::read(id_key, id), picture_path(key, file))
        {
            names.insert(id.to_string(), file);
        }
        Ok(())
    });
    match there {
        Ok(true) if !names.is_empty() => Ok(Some(names)),
        Ok(_) | Err(DataError::Malformed(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn entry(
    row: &Row<'_>,
    names: &HashMap<String, String>,
    notes: &mut Notes,
) -> Result<Entry, String> {
    // The `id` of an annotation is its own.
    let (key, value) = row.need(&IMAGE_ID[..3])?;
    let id = Id::read(key, value)?.to_string();
    let picture =
        names.get(&id).ok_or_else(|| format!("`images` has no picture with the id {id}"))?;
    let captions = several::captions(row, CAPTION, notes)?.unwrap_or_default();
    let lacks = captions.is_empty().then(|| row.lacks(CAPTION[0][0]));
    Ok(Entry { captions, lacks, ..Entry::new(picture.clone()) })
}
