//! Names of files: their parts, their endings, and the kinds that these tell.

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Endings of files with the captions of one picture, the first that is there is read.
pub(super) const BESIDE: [&str; 3] = [".txt", ".caption", ".json"];

/// Returns a folder by its path from `dir` on; `dir` itself keeps its name without a slash behind
/// it.
pub(super) fn place(dir: &Path, folder: &str) -> PathBuf {
    if folder.is_empty() { dir.to_owned() } else { dir.join(folder) }
}

/// Tells if a file without ending begins as a picture does.
pub(super) fn starts_as_picture(path: &Path) -> bool {
    let mut start = Vec::new();
    let read =
        toolkit_system::input::open(path).and_then(|file| file.take(64).read_to_end(&mut start));
    read.is_ok() && ::image::guess_format(&start).is_ok()
}

/// Returns the ending of a name in small letters, without its dot.
pub(super) fn ending(path: &Path) -> String {
    path.extension().and_then(OsStr::to_str).unwrap_or_default().to_ascii_lowercase()
}

/// Tells if a name has no ending.
pub(super) fn bare(path: &Path) -> bool {
    ending(path).is_empty()
}

/// Shows a name that is no UTF-8, so that no two names look the same.
pub(super) fn escaped(name: &OsStr) -> String {
    let mut shown = String::new();
    for chunk in name.as_encoded_bytes().utf8_chunks() {
        shown += chunk.valid();
        shown.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    shown
}

/// Tells if files with an ending may have the captions of one picture.
pub(super) fn is_beside(extension: &str) -> bool {
    BESIDE.iter().any(|end| end[1..] == *extension)
}

/// Tells if files with an ending may have captions.
pub(super) fn may_have_captions(extension: &str) -> bool {
    is_beside(extension) || other(extension).is_some()
}

/// Returns the reason why files of a kind that may hold captions are not read.
pub(super) fn other(extension: &str) -> Option<&'static str> {
    Some(match extension {
        "tar" => "a webdataset shard: not read as a folder; unpack it into the folder",
        "parquet" | "arrow" | "feather" => {
            "a table of columns: not read; write captions.csv or captions.jsonl"
        }
        "csv" | "tsv" => "not called captions or metadata",
        "jsonl" | "ndjson" => "not called captions or metadata",
        "xlsx" | "xls" | "ods" => "a spreadsheet: not read; save it as captions.csv",
        "zip" | "tgz" | "gz" | "zst" | "xz" | "7z" | "rar" => {
            "an archive: not read; unpack it into the folder"
        }
        "token" => "not read; write captions.csv or captions.jsonl",
        _ => return None,
    })
}

/// Tells if a name ends with an ending in small letters or others.
pub(super) fn ends_with(name: &str, end: &str) -> bool {
    name.len() > end.len()
        && name.as_bytes()[name.len() - end.len()..].eq_ignore_ascii_case(end.as_bytes())
}

/// Returns the folder of a path; empty if it has none.
pub(super) fn folder_of(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Returns the last part of a path.
pub(super) fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// Joins a folder and a name.
pub(super) fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}
