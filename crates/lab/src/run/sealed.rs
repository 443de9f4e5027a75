//! The list of a whole run: its own files and the lists of its stages, controls and cells.

use crate::LabError;
use crate::run::damage::Damage;
use crate::run::done::Done;
use crate::run::folder::{COST_FILE, DONE_FILE, LISTED_FOLDERS, MANIFEST_FILE, SCORES_FILE};
use std::path::{Path, PathBuf};
use toolkit_system::problem::Problem;

/// Files that `toolkit run` writes into the run folder itself.
const FILES: [&str; 9] = [
    "experiment.toml",
    "spec.toml",
    "plan.json",
    MANIFEST_FILE,
    COST_FILE,
    "results.json",
    "report.html",
    "report.md",
    "figure.svg",
];

/// Returns the folders of a run that have lists.
fn listed(run: &Path) -> Vec<PathBuf> {
    let folders = LISTED_FOLDERS
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

/// Returns every file of a run that is not what was written.
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

/// Returns `true` if a run has a list; runs of older versions have none.
#[must_use]
pub fn is_sealed(run: &Path) -> bool {
    run.join(DONE_FILE).is_file()
}

/// Checks that a run has come to its end.
///
/// # Errors
/// If it has not, naming what is missing.
pub fn check_finished(run: &Path, cells: &[String]) -> Result<(), LabError> {
    let missing = |what: String| {
        let hint = "the `toolkit run` command that began it goes on with it";
        let what = format!("{}: this run is not finished: {what}", run.display());
        Err(Problem::new(what).hint(hint).into())
    };
    if !run.join("results.json").is_file() {
        return missing("it has no results".to_owned());
    }
    match cells.iter().find(|id| !run.join("cells").join(id).join(SCORES_FILE).is_file()) {
        Some(id) => missing(format!("cell {id} has no scores")),
        None => Ok(()),
    }
}
