//! Alerts of the trainings of a run, found in their logs.

use crate::LabError;
use crate::results::labels::axes_name;
use crate::run::Run;
use crate::work::cell_job::CellJob;
use crate::work::context::RunContext;
use std::path::Path;
use toolkit_report::StageAlert;
use toolkit_train::alerts::{Alert, AlertState, Windows, find};

/// A training of a run.
struct Training<'a> {
    stage: &'a str,
    label: String,
    seed: u64,
}

/// Reads the alerts of all trainings, stage 1 first.
pub(crate) fn alerts(
    run: &Run,
    context: &RunContext<'_>,
    jobs: &[CellJob<'_>],
) -> Result<Vec<StageAlert>, LabError> {
    let mut all = Vec::new();
    for plan in &run.plan.stage1 {
        let (label, seed) = (plan.label.clone(), plan.seed);
        let training = Training { stage: "stage 1", label, seed };
        let Some(spec) = &run.plan.cells[plan.cell].cell.spec.stage1 else { continue };
        let windows = Windows::of(spec.steps, &spec.schedule);
        all.extend(training.alerts(&context.folder.stage1(&plan.key), windows)?);
    }
    for job in jobs {
        let (label, seed) = (axes_name(job, &run.spec), job.cell.seed);
        let training = Training { stage: "stage 2", label, seed };
        let Some(spec) = &job.cell.spec.stage2 else { continue };
        let windows = Windows::of(spec.steps, &spec.schedule);
        all.extend(training.alerts(&job.stage2_dir(), windows)?);
    }
    Ok(all)
}

impl Training<'_> {
    /// Joins the beginning and the end of each alert.
    fn alerts(&self, dir: &Path, windows: Windows) -> Result<Vec<StageAlert>, LabError> {
        let found = find(dir, windows)?;
        let begins = found.iter().enumerate().filter(|(_, one)| one.state == AlertState::Begins);
        let joined = |(at, alert): (usize, &Alert)| {
            let same = |other: &&Alert| (other.alert, &other.of) == (alert.alert, &alert.of);
            let end = found[at + 1..].iter().find(same);
            StageAlert {
                stage: self.stage.to_owned(),
                label: self.label.clone(),
                seed: self.seed,
                alert: alert.alert.name().to_owned(),
                step: alert.step,
                ended: end.map(|end| end.step),
                text: alert.to_string(),
            }
        };
        Ok(begins.map(joined).collect())
    }
}

/// Writes an alert as a note of the report.
pub(crate) fn note(alert: &StageAlert) -> String {
    let StageAlert { stage, label, seed, ended, text, .. } = alert;
    let label = if label.is_empty() { String::new() } else { format!(", {label}") };
    let end = match ended {
        Some(step) => format!("ended at step {step}"),
        None => "held to the end".to_owned(),
    };
    format!("Alert in {stage}{label}, seed {seed}: {text}; it {end}.")
}
