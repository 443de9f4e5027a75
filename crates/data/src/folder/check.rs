//! Everything that is wrong with a folder, counted.

use super::load::load;
use super::{Folder, no_picture};
use crate::lists::fault::{Counted, Fault};
use crate::published::{Check, CheckOptions, look_at};
use crate::{DataError, Dataset, Findings};
use std::path::Path;

/// A folder that was looked at.
pub struct FolderCheck {
    /// The items that could be read.
    pub data: Folder,
    /// Counts and findings.
    pub report: Check,
    /// Every picture that cannot be decoded, by its error. The report has the first of them.
    pub unreadable: Vec<DataError>,
}

/// Reads the texts of a folder and decodes all its pictures. `progress` is called with the
/// number of pictures done and to do.
///
/// # Errors
/// If the folder cannot be read.
pub fn check_folder(
    dir: &Path,
    options: CheckOptions,
    progress: &dyn Fn(u64, u64),
) -> Result<FolderCheck, DataError> {
    let mut faults = Counted { most: options.examples, findings: Findings::new() };
    let loaded = load(dir, &mut faults)?;
    if loaded.items.is_empty() {
        faults.add(Fault::Empty, &no_picture(dir, &loaded.passed));
    }
    let notes = loaded.remarks.clone();
    let data = Folder::of(dir, loaded, Findings::new());
    let mut unreadable = Vec::new();
    let look = |index| data.image(index).err().map(|error| (Fault::UnreadableImage, error));
    look_at(data.len(), progress, &look, &mut |fault, error| {
        faults.add(fault, &error);
        unreadable.push(error);
    });
    let mut report = Check { split: "all".to_owned(), decoded: true, notes, ..Check::default() };
    report.count_items(data.items());
    report.captions = data.items().iter().map(|item| item.captions.len() as u64).sum();
    report.findings = faults.findings;
    Ok(FolderCheck { data, report, unreadable })
}
