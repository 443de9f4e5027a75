//! Lookup of cells and stage-1 runs in the folder of a run.

use super::{TrainedCell, TrainedRun};
use crate::LabError;
use crate::experiment::spec::Spec;
use crate::plan::model_plan::ModelPlan;
use crate::run::done;
use crate::run::folder::{AGAIN, RunFolder};
use crate::run::manifest::Manifest;
use std::path::PathBuf;
use toolkit_registry::Source;
use toolkit_registry::spanned::suggest;
use toolkit_system::problem::Problem;

impl TrainedCell {
    fn has_stage1(&self) -> bool {
        self.spec.wants_stage1() && self.model_plan.bridge.shape.text.is_some()
    }
}

impl TrainedRun<'_> {
    pub(super) fn run(&self) -> RunFolder {
        RunFolder::new(self.folder)
    }

    pub(super) fn stage2(&self, cell: &TrainedCell) -> PathBuf {
        self.run().stage2(&cell.id)
    }

    /// Lists the cells that were begun, in the order of the plan.
    fn ids(&self) -> Result<Vec<String>, LabError> {
        let none = || {
            Problem::new("this is no folder of a run with cells")
                .at(self.folder.display())
                .hint("give the folder that `toolkit run` wrote, such as runs/ablate_stage1")
        };
        let entries = std::fs::read_dir(self.folder.join("cells")).map_err(|_| none())?;
        let mut names: Vec<String> = entries
            .flatten()
            .filter(|entry| entry.path().join("spec.toml").is_file())
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        let planned = self.manifest().cells;
        names.sort_by_key(|name| planned.iter().position(|id| id == name).unwrap_or(usize::MAX));
        if names.is_empty() { Err(none().into()) } else { Ok(names) }
    }

    fn manifest(&self) -> Manifest {
        Manifest::load(self.folder).unwrap_or_default()
    }

    fn cells(&self) -> Result<Vec<TrainedCell>, LabError> {
        self.ids()?.into_iter().map(|id| self.cell(id)).collect()
    }

    fn cell(&self, id: String) -> Result<TrainedCell, LabError> {
        let dir = self.run().cell(&id);
        done::check(&dir, &["spec.toml"], AGAIN)?;
        let file = dir.join("spec.toml");
        let text = toolkit_system::input::read_to_string(&file).map_err(|error| {
            Problem::new(format_args!("cannot read the file: {error}"))
                .at(file.display())
                .hint("give a TOML file, such as experiments/ablate_stage1.toml")
        })?;
        let spec: Spec = Source::new(file.display().to_string(), text)?.parse()?;
        Ok(TrainedCell {
            model_plan: ModelPlan::new(self.registry, &spec.model)?.keeping(spec.compute.frozen),
            id,
            spec,
        })
    }

    /// Returns the cell called `wanted`, or the first trained one with stage 1, which is reported.
    pub(super) fn choose(&self, wanted: Option<&str>) -> Result<TrainedCell, LabError> {
        if let Some(wanted) = wanted {
            let known = self.ids()?;
            if !known.iter().any(|id| id == wanted) {
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                return Err(Problem::new(format_args!("there is no cell `{wanted}`"))
                    .at(self.folder.join("cells").display())
                    .hint(suggest(wanted, &known))
                    .into());
            }
            return self.cell(wanted.to_owned());
        }
        let mut cells = self.cells()?;
        let trained = |cell: &TrainedCell| self.stage2(cell).join("latest.json").is_file();
        let at = cells
            .iter()
            .position(|cell| trained(cell) && cell.has_stage1())
            .or_else(|| cells.iter().position(trained))
            .unwrap_or(0);
        let chosen = cells.swap_remove(at);
        self.reporter.note(&format!("cell {}", chosen.id));
        Ok(chosen)
    }

    /// Returns the stage-1 run that a cell started from.
    pub(super) fn stage1_of(&self, id: &str) -> Result<(String, TrainedCell), LabError> {
        let cell = self.choose(Some(id))?;
        let key = self.manifest().stage1.remove(id).ok_or_else(|| {
            Problem::new(format_args!("cell `{id}` had no stage 1"))
                .at(self.folder.display())
                .hint("choose a cell with `stage1.enabled = true`")
        })?;
        Ok((key, cell))
    }

    /// Returns the stage-1 run called `wanted`, or the first one, with a cell that started from it:
    /// its spec says which model it is of.
    pub(super) fn stage1(&self, wanted: Option<&str>) -> Result<(String, TrainedCell), LabError> {
        let mut cells: Vec<TrainedCell> =
            self.cells()?.into_iter().filter(TrainedCell::has_stage1).collect();
        let known = self.trained_keys();
        let folder = self.folder.join("stage1");
        if cells.is_empty() || known.is_empty() {
            return Err(Problem::new("this run has no stage 1")
                .at(folder.display())
                .hint("give the folder of a run with `stage1.enabled = true`")
                .into());
        }
        if let Some(wanted) = wanted.filter(|wanted| !known.iter().any(|key| key == wanted)) {
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            return Err(Problem::new(format_args!("there is no stage-1 run `{wanted}`"))
                .at(folder.display())
                .hint(suggest(wanted, &known))
                .into());
        }
        // The cells are in the order of the plan, so the first is a baseline of most ablations.
        let stage1 = self.manifest().stage1;
        let started =
            |cell: &TrainedCell| stage1.get(&cell.id).filter(|key| known.contains(key)).cloned();
        let meant = |cell: &TrainedCell| match wanted {
            Some(key) => started(cell).as_deref() == Some(key),
            None => started(cell).is_some(),
        };
        let Some(at) = cells.iter().position(meant) else {
            return Err(Problem::new("no cell of this run starts from that stage-1 run")
                .at(self.folder.display())
                .hint("type the command of the run again, which goes on with it")
                .into());
        };
        let key = started(&cells[at]).unwrap_or_default();
        if wanted.is_none() {
            self.reporter.note(&format!("stage 1 {key}"));
        }
        Ok((key, cells.swap_remove(at)))
    }

    /// Returns `true` if the run, or one cell of it, has a stage 1 that was begun.
    pub(super) fn has_stage1(&self, cell: Option<&str>) -> bool {
        match cell {
            Some(id) => self.manifest().stage1.contains_key(id),
            None => !self.trained_keys().is_empty(),
        }
    }

    /// Lists the cells whose stage 2 was begun, or all where stage 1 alone is trained.
    pub(super) fn trained_cells(&self) -> Result<Vec<String>, LabError> {
        let all = self.ids()?;
        let begun = |id: &&String| self.run().stage2(id).join("latest.json").is_file();
        let trained: Vec<String> = all.iter().filter(begun).cloned().collect();
        Ok(if trained.is_empty() { all } else { trained })
    }

    pub(super) fn trained_keys(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.join("stage1")).into_iter().flatten().flatten();
        let trained = entries.filter(|entry| entry.path().join("latest.json").is_file());
        let mut keys: Vec<String> =
            trained.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        keys.sort();
        keys
    }
}
