//! Joins the results that the cells left on disk.

use crate::LabError;
use crate::experiment::sweep::text;
use crate::files::read_json;
use crate::plan::losses;
use crate::results::absent::absent;
use crate::results::alerts::alerts;
use crate::results::date::today;
use crate::results::flips::flips;
use crate::results::notes::notes;
use crate::results::pictures::pictures;
use crate::results::stages::{seconds_of, stage1_runs, stage2_runs};
use crate::run::provenance::{git_revision, machine};
use crate::run::{Run, RunOptions, cost};
use crate::work::cell_job::CellJob;
use crate::work::context::RunContext;
use std::collections::BTreeMap;
use toolkit_report::{Axis, CellResult, CurvePoint, FrozenPart, Results, RunCost, StageRun};

/// Score by which cells are compared.
const PRIMARY: &str = "vqa.overall";

/// Joins the results of all cells into those of the run.
///
/// # Errors
/// If a file of the run is missing or damaged.
pub fn collect(
    run: &Run,
    context: &RunContext<'_>,
    options: &RunOptions,
) -> Result<Results, LabError> {
    let jobs: Vec<CellJob<'_>> =
        (0..run.plan.cells.len()).map(|i| run.cell_job(context, i)).collect();
    let spec = &run.spec;
    let mut left_out: Vec<String> = Vec::new();
    let mut cells = Vec::new();
    for job in &jobs {
        cells.push(cell_result(job, &mut left_out)?);
    }
    let (stage1, stage2) = (stage1_runs(run, context)?, stage2_runs(run, &jobs)?);
    let alerts = alerts(run, context, &jobs)?;
    Ok(Results {
        name: spec.name.clone(),
        question: spec.question.clone(),
        created: today(),
        command: options.command.join(" "),
        toolkit_version: env!("CARGO_PKG_VERSION").to_owned(),
        git: git_revision(),
        device: format!("{} on {}", options.device_name, machine()),
        axes: axes(run),
        baseline: spec.baseline.iter().map(|(k, v)| (k.clone(), text(v))).collect(),
        primary: PRIMARY.to_owned(),
        samples: pictures(&jobs, spec)?,
        flips: flips(&jobs, spec)?,
        cost: run_cost(run, &jobs, &stage1, &stage2),
        cells,
        stages: [stage1, stage2].concat(),
        notes: notes(run, &jobs, left_out, &alerts)?,
        alerts,
        frozen: frozen(run),
        absent: absent(&jobs)?,
        loss_titles: losses::titles(context.registry),
    })
}

/// Reads the results of a cell. Its notes, and the pictures that it left out, are added to
/// `left_out`.
fn cell_result(job: &CellJob<'_>, left_out: &mut Vec<String>) -> Result<CellResult, LabError> {
    let scores = job.scores()?;
    for line in scores.left_out.into_iter().chain(scores.notes) {
        if !left_out.contains(&line) {
            left_out.push(line);
        }
    }
    let curve: Vec<CurvePoint> =
        job.curve()?.into_iter().map(|(step, scores)| CurvePoint { step, scores }).collect();
    let mut final_scores = scores.scores;
    final_scores.extend(along(&curve).map(|mean| ("vqa.along".to_owned(), mean)));
    Ok(CellResult {
        id: job.cell.id.clone(),
        seed: job.cell.seed,
        axes: job.cell.axes.clone(),
        curve,
        scores: final_scores,
        per_sample: BTreeMap::from([(PRIMARY.to_owned(), scores.questions)]),
        clusters: scores.images,
        seconds: seconds_of(&job.last_stage_dir()),
        trained_params: scores.trained_params,
    })
}

fn axes(run: &Run) -> Vec<Axis> {
    let axis = |(key, values): (&String, &Vec<toml::Value>)| Axis {
        key: key.clone(),
        label: run.spec.labels.get(key).cloned().unwrap_or_else(|| key.clone()),
        values: values.iter().map(text).collect(),
    };
    run.spec.sweep.iter().map(axis).collect()
}

/// Adds up what the run took, in all and by kind of job.
fn run_cost(run: &Run, jobs: &[CellJob<'_>], stage1: &[StageRun], stage2: &[StageRun]) -> RunCost {
    let measured = cost::load(&run.out);
    let mut parts: BTreeMap<String, f64> = BTreeMap::new();
    for stage in stage2.iter().chain(stage1) {
        *parts.entry(stage.name.clone()).or_default() += stage.seconds;
    }
    for job in jobs {
        let seconds: BTreeMap<String, f64> =
            read_json(&job.dir().join("seconds.json")).unwrap_or_default();
        *parts.entry("final evaluation".to_owned()).or_default() += seconds.values().sum::<f64>();
    }
    RunCost {
        wall_seconds: measured.wall_seconds,
        cpu_seconds: measured.cpu_seconds,
        peak_rss_bytes: measured.peak_rss_bytes,
        parts: parts.into_iter().collect(),
    }
}

/// Returns the mean of the curve's points without the start. A cell that learns sooner has a higher
/// one, wherever the curves end.
fn along(curve: &[CurvePoint]) -> Option<f64> {
    let points = curve.iter().filter(|point| point.step > 0);
    let values: Vec<f64> = points.filter_map(|point| point.scores.get(PRIMARY).copied()).collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Describes the frozen models, each once.
fn frozen(run: &Run) -> Vec<FrozenPart> {
    let mut parts: Vec<FrozenPart> = Vec::new();
    for r in &run.plan.model_plans {
        let vision = ("vision", &r.vision.card, r.vision.shape.cost.params);
        let language = r.language.as_ref();
        let language = language.map(|part| ("language", &part.card, part.shape.cost.params));
        for (role, card, params) in [vision].into_iter().chain(language) {
            if !parts.iter().any(|p| p.name == card.name) {
                let sha256 = card
                    .weights
                    .as_ref()
                    .map(toolkit_registry::WeightsSection::identity)
                    .unwrap_or_default();
                parts.push(FrozenPart {
                    role: role.to_owned(),
                    name: card.name.clone(),
                    params,
                    sha256,
                    scores: card.scores.clone(),
                });
            }
        }
    }
    parts
}
