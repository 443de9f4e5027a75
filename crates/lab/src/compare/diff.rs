//! Differences between two runs, and the inputs that could explain them.

use crate::LabError;
use crate::compare::files::{FinishedCell, cells, spec};
use crate::compare::inputs::facts;
pub use crate::compare::inputs::made_of;
use crate::compare::samples::{Samples, sample_files, samples};
use crate::compare::training::{Parting, parting};
use crate::compare::values::{Difference, differences, flat};
use crate::run::damage::Damage;
use crate::run::folder::RunFolder;
use crate::run::manifest::Manifest;
use crate::run::sealed;
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Differences between two runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RunDiff {
    /// Inputs, which could be the reason: versions, machine, device, cards, weights, data.
    pub made_of: Vec<Difference>,
    /// Settings, which could be the reason.
    pub experiment: Vec<Difference>,
    /// Logs of training, stage by stage.
    pub training: Vec<Parting>,
    /// Final scores, cell by cell, as `CELL score`.
    pub scores: Vec<Difference>,
    /// Samples, file by file.
    pub samples: Vec<Samples>,
    /// Cells, by axes and seed, that only one of them has.
    pub alone: Vec<String>,
    /// Files of either that are not what the run wrote.
    pub damaged: Vec<Damage>,
    /// Such files that no result depends on: times, and what only training that is over would read.
    pub needless: Vec<Damage>,
    /// Runs without a list of their files, by versions that wrote none: there damage cannot be
    /// told.
    pub unlisted: Vec<PathBuf>,
}

impl RunDiff {
    /// Returns `true` if both computed the same: every step, logged number, weight, score and text,
    /// and no cell is missing.
    #[must_use]
    pub fn same_results(&self) -> bool {
        self.alone.is_empty()
            && self.damaged.is_empty()
            && self.scores.is_empty()
            && self.training.iter().all(Parting::same)
            && self.samples.iter().all(|s| s.texts + s.scores + s.alone == 0)
    }
}

/// Settings that cannot change a result.
const HARMLESS: [&str; 4] = ["name", "question", "compute.jobs", "compute.save_seconds"];

/// A run that is compared.
struct ComparedRun<'a> {
    root: &'a Path,
    folder: RunFolder,
    manifest: Manifest,
}

impl<'a> ComparedRun<'a> {
    fn open(root: &'a Path) -> Result<Self, LabError> {
        Ok(Self { root, folder: RunFolder::new(root), manifest: Manifest::load(root)? })
    }

    /// Returns the folder of the stage-1 run that a cell started from.
    fn stage1(&self, cell: &FinishedCell) -> Option<PathBuf> {
        Some(self.folder.stage1(self.manifest.stage1.get(&cell.id)?))
    }
}

/// Compares two run folders.
///
/// # Errors
/// If one is no run, is not finished, or a file of it is damaged.
pub fn diff(a: &Path, b: &Path) -> Result<RunDiff, LabError> {
    let mut found = RunDiff::default();
    // 1. Files that are no longer what the runs wrote.
    found.add_damage(a)?;
    if a != b {
        found.add_damage(b)?;
    }
    // 2. Inputs and settings.
    let (a, b) = (ComparedRun::open(a)?, ComparedRun::open(b)?);
    found.made_of = differences(&facts(&a.manifest)?, &facts(&b.manifest)?);
    found.experiment = differences(&flat(&spec(a.root)?), &flat(&spec(b.root)?));
    found.experiment.retain(|difference| !HARMLESS.contains(&difference.at.as_str()));
    // 3. Cells with the same values of the axes and the same seed.
    let (cells_a, cells_b) = (cells(a.root)?, cells(b.root)?);
    for name in cells_a.keys().chain(cells_b.keys()).collect::<BTreeSet<_>>() {
        match (cells_a.get(name), cells_b.get(name)) {
            (Some(own), Some(other)) => found.add_cell(name, (&a, own), (&b, other))?,
            _ => found.alone.push(name.clone()),
        }
    }
    Ok(found)
}

impl RunDiff {
    fn add_damage(&mut self, run: &Path) -> Result<(), LabError> {
        let (needless, damaged): (Vec<_>, Vec<_>) =
            sealed::damage(run)?.into_iter().partition(Damage::is_needless);
        self.needless.extend(needless);
        self.damaged.extend(damaged);
        if !sealed::is_sealed(run) {
            self.unlisted.push(run.to_owned());
        }
        Ok(())
    }

    /// Compares the trainings, scores and samples of a cell that both runs have.
    fn add_cell(
        &mut self,
        name: &str,
        (a, own): (&ComparedRun<'_>, &FinishedCell),
        (b, other): (&ComparedRun<'_>, &FinishedCell),
    ) -> Result<(), LabError> {
        if let (Some(own), Some(other)) = (a.stage1(own), b.stage1(other)) {
            self.training.push(parting(&format!("stage 1 of {name}"), &own, &other)?);
        }
        let stage2 = [a.folder.stage2(&own.id), b.folder.stage2(&other.id)];
        // Trainings of stage 1 alone have none.
        if stage2.iter().any(|dir| dir.is_dir()) {
            self.training.push(parting(&format!("stage 2 of {name}"), &stage2[0], &stage2[1])?);
        }
        let scores = differences(&flat(&own.scores), &flat(&other.scores));
        self.scores.extend(
            scores.into_iter().map(|d| Difference { at: format!("{name}: {}", d.at), ..d }),
        );
        let (dir_a, dir_b) = (a.folder.cell(&own.id), b.folder.cell(&other.id));
        for file in sample_files(&dir_a).union(&sample_files(&dir_b)) {
            let (own, other) = (dir_a.join(file), dir_b.join(file));
            self.samples.push(samples(&format!("{name}: {file}"), &own, &other)?);
        }
        Ok(())
    }
}
