//! The list of a whole run: its own files and the lists of its stages, controls and cells.

use crate::LabError;
use crate::done::{DONE_FILE, Damage, Done};
use std::path::{Path, PathBuf};

/// Files that `toolkit run` writes beside the folders of stages and cells.
const FILES: [&str; 9] = [
    "experiment.toml",
    "spec.toml",
    "plan.json",
    "manifest.json",
    "cost.json",
    "results.json",
    "report.html",
    "report.md",
    "figure.svg",
];

/// Folders whose folders have lists of their own.
const FOLDERS: [&str; 3] = ["stage1", "controls", "cells"];

/// The hint for files that the run makes again.
pub const AGAIN: &str = "the same `toolkit run` command writes it again";

/// Folders of a run that have lists.
fn listed(run: &Path) -> Vec<PathBuf> {
    let folders = FOLDERS.iter().flat_map(|name| std::fs::read_dir(run.join(name)).into_iter().flatten().flatten());
    let mut folders: Vec<PathBuf> =
        folders.map(|entry| entry.path()).filter(|path| path.join(DONE_FILE).is_file()).collect();
    folders.sort();
    folders
}

/// Writes the list of a run that has ended.
///
/// # Errors
/// Errors of the file system.
pub fn seal(run: &Path) -> Result<(), LabError> {
    let lists = listed(run).into_iter().filter_map(|dir| {
        Some(format!("{}/{DONE_FILE}", dir.strip_prefix(run).ok()?.to_string_lossy().replace('\\', "/")))
    });
    let own = FILES.iter().map(|name| (*name).to_owned()).filter(|name| run.join(name).is_file());
    Done::default().seal_these(run, own.chain(lists))
}

/// Lists the files of a report that was made anew.
///
/// # Errors
/// Errors of the file system.
pub fn seal_report(run: &Path) -> Result<(), LabError> {
    let Some(mut done) = Done::load(run)? else { return Ok(()) };
    for name in ["report.html", "report.md", "figure.svg"] {
        done.add(run, name)?;
    }
    Ok(())
}

/// Every file of a run that is not what was written.
///
/// # Errors
/// If one is there and cannot be read.
pub fn damage(run: &Path) -> Result<Vec<Damage>, LabError> {
    let mut all = Done::load(run)?.map_or(Ok(Vec::new()), |done| done.damage(run))?;
    for dir in listed(run) {
        if let Some(done) = Done::load(&dir)? {
            all.extend(done.damage(&dir)?);
        }
    }
    Ok(all)
}

/// Says whether a run has a list; those of older versions have none.
#[must_use]
pub fn is_sealed(run: &Path) -> bool {
    run.join(DONE_FILE).is_file()
}

/// Looks whether a run has come to its end.
///
/// # Errors
/// If it has not, naming what is missing.
pub fn check_finished(run: &Path, cells: &[&str]) -> Result<(), LabError> {
    let missing = |what: String| {
        let hint = "the `toolkit run` command that began it goes on with it";
        Err(LabError::new(format!("{}: this run is not finished: {what}", run.display()), hint))
    };
    if !run.join("results.json").is_file() {
        return missing("it has no results".to_owned());
    }
    match cells.iter().find(|id| !run.join("cells").join(id).join("scores.json").is_file()) {
        Some(id) => missing(format!("cell {id} has no scores")),
        None => Ok(()),
    }
}
