//! The training stages of a run, from their logs.

use crate::LabError;
use crate::plan::run_plan::Stage1Plan;
use crate::results::labels::axes_name;
use crate::run::Run;
use crate::work::cell_job::CellJob;
use crate::work::context::RunContext;
use std::collections::BTreeMap;
use std::path::Path;
use toolkit_report::StageRun;
use toolkit_train::fit::{MetricLine, TimingLine};

/// Most points of a loss curve in the report.
const POINTS: usize = 400;

/// Reads the stage-1 runs of a run.
pub(crate) fn stage1_runs(run: &Run, context: &RunContext<'_>) -> Result<Vec<StageRun>, LabError> {
    let read = |stage1: &Stage1Plan| {
        let dir = context.folder.stage1(&stage1.key);
        Ok(StageRun {
            name: "stage 1".to_owned(),
            label: stage1.label.clone(),
            seed: stage1.seed,
            steps: run.plan.cells[stage1.cell].cell.spec.stage1.as_ref().map_or(0, |s| s.steps),
            seconds: seconds_of(&dir),
            losses: losses(&dir.join("metrics.jsonl"))?,
            scores: context.stage1_scores(&stage1.key)?,
        })
    };
    run.plan.stage1.iter().map(read).collect()
}

/// Reads the stage-2 runs of a run, one for each cell that has one.
pub(crate) fn stage2_runs(run: &Run, jobs: &[CellJob<'_>]) -> Result<Vec<StageRun>, LabError> {
    let read = |job: &CellJob<'_>, steps: u64| {
        let dir = job.stage2_dir();
        Ok(StageRun {
            name: "stage 2".to_owned(),
            label: axes_name(job, &run.spec),
            seed: job.cell.seed,
            steps,
            seconds: seconds_of(&dir),
            losses: losses(&dir.join("metrics.jsonl"))?,
            scores: BTreeMap::new(),
        })
    };
    let trained = |job: &CellJob<'_>| {
        let stage2 = job.cell.spec.stage2.as_ref();
        stage2.map(|stage2| read(job, stage2.steps))
    };
    jobs.iter().filter_map(trained).collect()
}

/// Returns the seconds of all steps of a training in `dir`.
pub(crate) fn seconds_of(dir: &Path) -> f64 {
    let text = toolkit_system::input::read_to_string(&dir.join("timing.jsonl")).unwrap_or_default();
    text.lines()
        .filter_map(|line| serde_json::from_str::<TimingLine>(line).ok())
        .map(|line| line.seconds)
        .sum()
}

/// Returns the logged values by name, as many as a figure can show.
fn losses(path: &Path) -> Result<BTreeMap<String, Vec<(u64, f64)>>, LabError> {
    let text = toolkit_system::input::read_to_string(path).map_err(|e| LabError::io(path, &e))?;
    let lines: Vec<MetricLine> =
        text.lines().filter_map(|l| serde_json::from_str(l).ok()).collect();
    let stride = lines.len().div_ceil(POINTS).max(1);
    let mut out: BTreeMap<String, Vec<(u64, f64)>> = BTreeMap::new();
    for line in lines.iter().step_by(stride) {
        for (name, value) in &line.metrics {
            out.entry(name.clone()).or_default().push((line.step, *value));
        }
    }
    Ok(out)
}
