//! Trained models of a run, read from its folder: its cells, their connectors, its bridges after
//! stage 1.

use crate::context::Context;
use burn::tensor::Device;
use std::path::{Path, PathBuf};
use toolkit_core::AnyBridge;
use toolkit_lab::experiment::spec::Spec;
use toolkit_lab::plan::parts::Resolved;
use toolkit_lab::run::done;
use toolkit_lab::run::folder::{AGAIN, RunFolder};
use toolkit_lab::run::manifest::Manifest;
use toolkit_models::connector::Connector;
use toolkit_registry::Weights;
use toolkit_registry::spanned::suggest;
use toolkit_system::problem::Problem;
use toolkit_train::checkpoint::{Checkpoint, load_strict};

/// Cell of a run.
pub struct RunCell {
    /// Folder name.
    pub id: String,
    /// Settings.
    pub spec: Spec,
    /// Model.
    pub resolved: Resolved,
}

/// The cells of a run that were begun, in the order of the plan.
///
/// # Errors
/// If the folder is no run.
fn ids(run: &Path) -> anyhow::Result<Vec<String>> {
    let none = || {
        Problem::new("this is no folder of a run with cells")
            .at(run.display())
            .hint("give the folder that `toolkit run` wrote, such as runs/ablate_stage1")
    };
    let entries = std::fs::read_dir(run.join("cells")).map_err(|_| none())?;
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|e| e.path().join("spec.toml").is_file())
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let planned = Manifest::load(run).unwrap_or_default().cells;
    names.sort_by_key(|name| planned.iter().position(|id| id == name).unwrap_or(usize::MAX));
    if names.is_empty() { Err(none().into()) } else { Ok(names) }
}

/// Returns all cells of a run.
///
/// # Errors
/// If the folder is no run, or the parts of a cell are no longer there.
pub fn cells(context: &Context, run: &Path) -> anyhow::Result<Vec<RunCell>> {
    ids(run)?.into_iter().map(|id| cell(context, run, id)).collect()
}

fn cell(context: &Context, run: &Path, id: String) -> anyhow::Result<RunCell> {
    let dir = RunFolder::new(run).cell(&id);
    done::check(&dir, &["spec.toml"], AGAIN)?;
    let spec: Spec = context.source(&dir.join("spec.toml"))?.parse()?;
    Ok(RunCell { resolved: Resolved::new(&context.registry, &spec.model)?, id, spec })
}

/// The cell that is meant: the one called `wanted`, or the first trained one with stage 1. Says
/// which if it had to choose.
///
/// # Errors
/// If there is no such cell.
pub fn choose(context: &Context, run: &Path, wanted: Option<&str>) -> anyhow::Result<RunCell> {
    if let Some(wanted) = wanted {
        let known = ids(run)?;
        if !known.iter().any(|id| id == wanted) {
            let hint = suggest(wanted, &known.iter().map(String::as_str).collect::<Vec<_>>());
            return Err(Problem::new(format_args!("there is no cell `{wanted}`"))
                .at(run.join("cells").display())
                .hint(hint)
                .into());
        }
        return cell(context, run, wanted.to_owned());
    }
    let mut cells = cells(context, run)?;
    let trained = |cell: &RunCell| stage2(run, cell).join("latest.json").is_file();
    let with_stage1 =
        |cell: &RunCell| cell.spec.stage1.enabled && cell.resolved.bridge.1.text.is_some();
    let at = cells
        .iter()
        .position(|cell| trained(cell) && with_stage1(cell))
        .or_else(|| cells.iter().position(trained))
        .unwrap_or(0);
    let chosen = cells.swap_remove(at);
    context.log.line(&format!("cell {}", chosen.id));
    Ok(chosen)
}

fn stage2(run: &Path, cell: &RunCell) -> PathBuf {
    RunFolder::new(run).stage2(&cell.id)
}

/// The trained connector of a cell.
///
/// # Errors
/// If it was not trained, or its checkpoint is damaged or of another model.
pub fn connector(
    context: &Context,
    run: &Path,
    cell: &RunCell,
    device: &Device,
) -> anyhow::Result<Connector> {
    let (dir, resolved) = (stage2(run, cell), &cell.resolved);
    let saved = Checkpoint::load(&dir)?.ok_or_else(|| {
        Problem::new("this cell has not been trained")
            .at(dir.display())
            .hint("finish the run first: the command that began it resumes it")
    })?;
    if saved.step < cell.spec.stage2.steps {
        context.log.line(&format!(
            "cell {} is at step {} of {}",
            cell.id, saved.step, cell.spec.stage2.steps
        ));
    }
    let bridge = context.registry.build_bridge(
        &resolved.bridge.0,
        &resolved.vision.1,
        device,
        Weights::None,
    )?;
    let connector =
        Connector::new(bridge, resolved.bridge.1.width, resolved.language.1.width, device);
    Ok(load_strict(connector, saved.weights(&dir)?, &dir.join(&saved.model))?)
}

/// The stage-1 run that is meant, with a cell that started from it: that one's spec says what model
/// it is of.
///
/// # Errors
/// If the run has no stage 1, or none of that name.
pub fn stage1(
    context: &Context,
    run: &Path,
    wanted: Option<&str>,
) -> anyhow::Result<(String, RunCell)> {
    let with_text =
        |cell: &RunCell| cell.spec.stage1.enabled && cell.resolved.bridge.1.text.is_some();
    let mut cells: Vec<RunCell> = cells(context, run)?.into_iter().filter(with_text).collect();
    let known = trained_keys(run);
    if cells.is_empty() || known.is_empty() {
        return Err(Problem::new("this run has no stage 1")
            .at(run.join("stage1").display())
            .hint("give the folder of a run with `stage1.enabled = true`")
            .into());
    }
    if let Some(wanted) = wanted.filter(|wanted| !known.iter().any(|key| key == wanted)) {
        let hint = suggest(wanted, &known.iter().map(String::as_str).collect::<Vec<_>>());
        return Err(Problem::new(format_args!("there is no stage-1 run `{wanted}`"))
            .at(run.join("stage1").display())
            .hint(hint)
            .into());
    }
    // The cells are in the order of the plan, so the first is a baseline of most ablations.
    let manifest = Manifest::load(run).unwrap_or_default();
    let started = |cell: &RunCell| {
        manifest
            .stage1
            .get(&cell.id)
            .map(String::as_str)
            .filter(|key| known.iter().any(|k| k == key))
    };
    let meant =
        |cell: &RunCell| wanted.map_or(started(cell).is_some(), |key| started(cell) == Some(key));
    let Some(at) = cells.iter().position(meant) else {
        return Err(Problem::new("no cell of this run starts from that stage-1 run")
            .at(run.display())
            .hint("type the command of the run again, which goes on with it")
            .into());
    };
    let key = started(&cells[at]).unwrap_or_default().to_owned();
    if wanted.is_none() {
        context.log.line(&format!("stage 1 {key}"));
    }
    Ok((key, cells.swap_remove(at)))
}

fn trained_keys(run: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(run.join("stage1")).into_iter().flatten().flatten();
    let trained = entries.filter(|entry| entry.path().join("latest.json").is_file());
    let mut keys: Vec<String> =
        trained.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    keys.sort();
    keys
}

/// The bridge after stage 1 in `dir`.
///
/// # Errors
/// If its checkpoint is not there, damaged or of another model.
pub fn bridge(
    context: &Context,
    dir: &Path,
    cell: &RunCell,
    device: &Device,
) -> anyhow::Result<AnyBridge> {
    let (card, vision) = (&cell.resolved.bridge.0, &cell.resolved.vision.1);
    let saved = Checkpoint::load(dir)?.ok_or_else(|| {
        Problem::new("no checkpoint").at(dir.display()).hint("finish the run first")
    })?;
    let bridge = context.registry.build_bridge(card, vision, device, Weights::None)?;
    Ok(load_strict(bridge, saved.weights(dir)?, &dir.join(&saved.model))?)
}
