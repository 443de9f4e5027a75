//! The list of a whole run: its own files and the lists of its stages, controls and cells.

use crate::LabError;
use crate::run::done::{DONE_FILE, Damage, Done};
use serde_json::Value;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Name of the file that says what a run is made of.
pub(crate) const MANIFEST: &str = "manifest.json";

/// Files that `toolkit run` writes beside the folders of stages and cells.
const FILES: [&str; 9] = [
    "experiment.toml",
    "spec.toml",
    "plan.json",
    MANIFEST,
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

/// The hint for a manifest that is damaged or gone: it alone knows earlier builds, so no command
/// makes it again unasked.
#[must_use]
pub fn manifest_hint(run: &Path) -> String {
    let list = run.join(DONE_FILE);
    let remove = match (run.join(MANIFEST).exists(), list.exists()) {
        (true, true) => format!("remove it and {}: ", list.display()),
        (true, false) => "remove it: ".to_owned(),
        (false, true) => format!("remove {}: ", list.display()),
        (false, false) => String::new(),
    };
    format!(
        "{remove}the same `toolkit run` command then writes it anew, without the earlier builds \
        that it named"
    )
}

/// Reads the manifest of a run.
///
/// # Errors
/// If the folder is none of a run, or the manifest is damaged or gone.
pub fn manifest(run: &Path) -> Result<Value, LabError> {
    let path = run.join(MANIFEST);
    match toolkit_system::input::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|e| LabError::new(format!("{}: {e}", path.display()), &manifest_hint(run))),
        Err(e) if e.kind() == ErrorKind::NotFound && run.join("cells").is_dir() => {
            Err(LabError::new(format!("{}: it is gone", path.display()), &manifest_hint(run)))
        }
        Err(e) if [ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&e.kind()) => {
            Err(LabError::new(
                format!("{}: not the folder of a run", run.display()),
                "give a folder that `toolkit run` made",
            ))
        }
        Err(e) => Err(LabError::io(&path, &e)),
    }
}

/// Folders of a run that have lists.
fn listed(run: &Path) -> Vec<PathBuf> {
    let folders = FOLDERS
        .iter()
        .flat_map(|name| std::fs::read_dir(run.join(name)).into_iter().flatten().flatten());
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
        Some(format!(
            "{}/{DONE_FILE}",
            dir.strip_prefix(run).ok()?.to_string_lossy().replace('\\', "/")
        ))
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
