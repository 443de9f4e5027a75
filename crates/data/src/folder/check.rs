//! Everything that is wrong with a folder, counted.

use super::Folder;
use super::load::load;
use crate::lists::fault::{Counted, Fault};
use crate::published::{Check, CheckOptions, look_at};
use crate::{DataError, Dataset, Findings};
use std::path::Path;

/// Reads the texts of a folder and decodes all its pictures. Gives what could be read, too. `progress` is called with the
/// number of pictures done and to do.
///
/// # Errors
/// If the folder cannot be read.
pub fn check_folder(
    dir: &Path,
    options: CheckOptions,
    progress: &dyn Fn(u64, u64),
) -> Result<(Folder, Check), DataError> {
    let mut faults = Counted { most: options.examples, findings: Findings::new() };
    let loaded = load(dir, &mut faults)?;
    if loaded.items.is_empty() {
        let empty = DataError::Empty { path: dir.to_owned(), passed: loaded.passed.clone() };
        faults.add(Fault::Empty, &empty);
    }
    let (captions, notes) = (loaded.captions, loaded.remarks.clone());
    let data = Folder::of(dir, loaded, Findings::new());
    look_at(data.len(), &mut faults, progress, &|index| {
        let error = data.image(index).err()?;
        Some((Fault::UnreadableImage, error))
    });
    let mut report = Check { split: "all".to_owned(), captions, decoded: true, notes, ..Check::default() };
    report.count_items(&data.items);
    report.findings = faults.findings;
    Ok((data, report))
}
