//! Lookup of `model.from`: the folder of a run, a published checkpoint, or a model card.

use crate::experiment::spec::ModelSpec;
use crate::experiment::start::StartFile;
use crate::experiment::sweep::ExperimentCell;
use crate::plan::run_plan::MissingData;
use crate::run::trained::{TrainedRun, is_run};
use crate::{LabError, Reporter};
use burn::tensor::Device;
use std::path::Path;
use toolkit_checkpoints::start::language_of;
use toolkit_registry::{Kind, Registry};
use toolkit_system::problem::Problem;
use toolkit_system::progress::{Progress, Silent};
use toolkit_train::checkpoint::CheckpointChoice;

/// Receiver that drops everything.
struct Quiet;

impl Reporter for Quiet {
    fn task(&self, _: &str) -> Box<dyn Progress + Send> {
        Box::new(Silent)
    }

    fn note(&self, _: &str) {}
}

/// Looks up the checkpoints that cells start from.
///
/// # Errors
/// If there is no such run, file or card. In a plan that is only shown it may be missing.
pub(super) fn find_starts(
    registry: &Registry,
    cells: &mut [ExperimentCell],
    missing: MissingData,
) -> Result<(), LabError> {
    let mut known: Vec<(ModelSpec, Option<StartFile>)> = Vec::new();
    for cell in cells {
        let model = &cell.spec.model;
        let alike = |(other, _): &&(ModelSpec, Option<StartFile>)| {
            [&other.from, &other.from_cell] == [&model.from, &model.from_cell]
                && other.from_stage == model.from_stage
        };
        if let Some((_, start)) = known.iter().find(alike) {
            cell.start.clone_from(start);
            continue;
        }
        let find = |from: &String| find(registry, model, from, missing);
        let start = model.from.as_ref().map(find).transpose()?;
        known.push((model.clone(), start.clone()));
        cell.start = start;
    }
    Ok(())
}

fn find(
    registry: &Registry,
    model: &ModelSpec,
    from: &str,
    missing: MissingData,
) -> Result<StartFile, LabError> {
    let path = Path::new(from);
    if is_run(path) {
        return of_run(registry, model, path);
    }
    let file = |path: Option<&Path>, language: Option<&str>| StartFile {
        name: from.to_owned(),
        path: path.map(Path::to_owned),
        language: language.map(str::to_owned),
    };
    let shown_only = missing == MissingData::Assumed;
    if !path.exists() && (from.contains('/') || path.extension().is_some()) {
        if shown_only {
            return Ok(file(None, None));
        }
        let hint = "give the folder of a run, a Hugging Face folder, a LAVIS `.pth`, or the name \
            of a model card";
        return Err(Problem::new("`model.from`: there is no such checkpoint")
            .at(from)
            .hint(hint)
            .into());
    }
    if model.from_cell.is_some() || model.from_stage.is_some() {
        let what = "`from_cell` and `from_stage` are of a run, and this is none";
        return Err(Problem::new(what).at(from).hint("take them out").into());
    }
    let folder = if path.exists() {
        path.to_owned()
    } else {
        let card = registry.card(Kind::Model, from)?;
        if shown_only && !card.not_here()?.is_empty() {
            return Ok(file(None, None));
        }
        card.weights_folder()?
    };
    let language = language_of(&folder).map_err(Problem::new)?;
    Ok(file(Some(&folder), language))
}

fn of_run(registry: &Registry, model: &ModelSpec, path: &Path) -> Result<StartFile, LabError> {
    let device = Device::flex();
    let checkpoint = CheckpointChoice::default();
    let run = TrainedRun { folder: path, registry, device: &device, checkpoint, reporter: &Quiet };
    run.weights(model.from_cell.as_deref(), model.from_stage)
}
