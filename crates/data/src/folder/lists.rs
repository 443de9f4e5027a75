//! The lists of captions that a folder may have: JSON in any shape of rows, CSV and TSV.

use super::coco;
use super::entry::{Columns, Entry};
use super::list_rows::{CSV_EXAMPLE, EXAMPLE, ListRows};
use super::names_of::Names;
use crate::DataError;
use crate::lists::fault::{Fault, FaultSink};
use crate::lists::keys::{JUST_CAPTION, PICTURE};
use crate::lists::paths::{find, plain};
use crate::lists::row::Row;
use crate::lists::rows::list;
use crate::lists::table::{Table, is_caption, is_picture_name};
use crate::lists::text::{line_error, one_line};
use std::path::{Path, PathBuf};

/// Reads a list. Names of pictures are looked for in `folders` where a table has no heading.
///
/// # Errors
/// If the file cannot be read or is no list, or the first fault that may not be left out.
pub(crate) fn read(
    path: &Path,
    folders: &[PathBuf],
    faults: &mut dyn FaultSink,
) -> Result<ListRows, DataError> {
    read_named(path, folders, Names::default(), faults)
}

/// Reads a list like [`read`], by the names of its columns or keys where they are given.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_named(
    path: &Path,
    folders: &[PathBuf],
    names: Names<'_>,
    faults: &mut dyn FaultSink,
) -> Result<ListRows, DataError> {
    let extension =
        path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
    match extension.as_str() {
        "jsonl" | "json" | "ndjson" => rows(path, names, faults),
        _ => table(path, folders, names, faults),
    }
}

fn rows(path: &Path, names: Names<'_>, faults: &mut dyn FaultSink) -> Result<ListRows, DataError> {
    let mut found = ListRows::default();
    // An empty file has no rows, as one of JSON Lines.
    if path.metadata().is_ok_and(|data| data.is_file() && data.len() == 0) {
        return Ok(found);
    }
    if let Some(found) = coco::read(path, faults)? {
        return Ok(found);
    }
    list(path, &[], &mut |at, _, bytes| {
        found.rows += 1;
        let read = Row::parse(bytes).and_then(|row| match Entry::by_picture(&row) {
            Some(entries) => entries,
            None if names.picture.is_some() || names.caption.is_some() => {
                Entry::named(&row, names, &mut found.notes).map(|entry| vec![entry])
            }
            None => {
                Entry::of_row(&row, &mut found.passed, &mut found.notes).map(|entry| vec![entry])
            }
        });
        match read {
            Ok(entries) => found.entries.extend(entries.into_iter().map(|entry| (at.line, entry))),
            Err(what) => faults.report_error(
                Fault::BadRow,
                line_error(path, at.line, one_line(&sentence(&what)), EXAMPLE),
            )?,
        }
        Ok(())
    })?;
    Ok(found)
}

/// Puts a subject in front of "has no ..".
fn sentence(what: &str) -> String {
    if what.starts_with("has no") { format!("the row {what}") } else { what.to_owned() }
}

fn table(
    path: &Path,
    folders: &[PathBuf],
    names: Names<'_>,
    faults: &mut dyn FaultSink,
) -> Result<ListRows, DataError> {
    let mut found = ListRows::default();
    let further: Vec<String> =
        names.picture.iter().chain(&names.caption).map(|name| name.to_lowercase()).collect();
    let further: Vec<&str> = further.iter().map(String::as_str).collect();
    let mut table = Table::open(path, &further)?;
    let wrong = |what: String| line_error(path, 1, one_line(&what), CSV_EXAMPLE);
    if let Some(name) = names.picture {
        table.take(name, PICTURE, is_picture_name).map_err(wrong)?;
    }
    if let Some(name) = names.caption {
        table.take(name, JUST_CAPTION, is_caption).map_err(wrong)?;
    }
    let mut first = table.row()?;
    let columns = match &first {
        None => return Ok(found),
        Some((_, Ok(cells))) if table.heading.is_empty() => without_heading(cells, folders),
        _ => Columns::of(&table),
    };
    let columns = columns.map_err(|what| line_error(path, 1, one_line(&what), CSV_EXAMPLE))?;
    found.passed.extend(columns.passed().map(str::to_owned));
    while let Some((line, cells)) = first {
        found.rows += 1;
        match cells.and_then(|cells| Entry::of_cells(&cells, &columns, &mut found.notes)) {
            Ok(entry) => found.entries.push((line, entry)),
            Err(what) => faults.report_error(
                Fault::BadRow,
                line_error(path, line, one_line(&what), CSV_EXAMPLE),
            )?,
        }
        first = table.row()?;
    }
    Ok(found)
}

/// Finds the two columns of a table without heading, one of which names a picture that is there:
/// captions and paths as CC3M has them, or the reverse.
fn without_heading(cells: &[String], folders: &[PathBuf]) -> Result<Columns, String> {
    let is_there = |cell: &String| {
        plain(cell).is_some_and(|name| folders.iter().any(|folder| find(folder, &name).is_some()))
    };
    let columns = |picture, caption| {
        Ok(Columns { picture, captions: vec![vec![caption]], question: None, names: vec![] })
    };
    match cells {
        [a, _] if is_there(a) => columns(0, 1),
        [_, b] if is_there(b) => columns(1, 0),
        _ => {
            let shown: Vec<String> = cells.iter().take(4).map(|cell| format!("`{cell}`")).collect();
            Err(format!(
                "no heading with `file_name` and `caption`, and the first row names no picture: {}",
                shown.join(", ")
            ))
        }
    }
}
