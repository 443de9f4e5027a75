//! Notes of a report: what a reader must know to judge its numbers.

use crate::LabError;
use crate::experiment::spec::DataSpec;
use crate::plan::splits::Splits;
use crate::results::absent::retrieval_notes;
use crate::results::alerts::note as alert_note;
use crate::run::Run;
use crate::run::manifest::Manifest;
use crate::work::cell_job::CellJob;
use toolkit_report::StageAlert;

/// Seeds below which an interval over seeds means little.
const FEW_SEEDS: usize = 3;

/// Describes the data that were measured on, if there are any.
fn measured_on(data: &DataSpec) -> Option<String> {
    let on = match (&data.val, &data.test) {
        (Some(val), Some(test)) => format!("Curves are on `{val}`, tables on `{test}`"),
        (None, Some(test)) => {
            return Some(format!("Tables are on `{test}`; nothing was chosen on it by this run."));
        }
        (Some(val), None) => return Some(format!("Curves are on `{val}`.")),
        (None, None) => return None,
    };
    Some(format!("{on}; nothing was chosen on the latter by this run."))
}

/// Collects the notes of a run. `left_out` names pictures that could not be read.
pub(crate) fn notes(
    run: &Run,
    jobs: &[CellJob<'_>],
    left_out: Vec<String>,
    alerts: &[StageAlert],
) -> Result<Vec<String>, LabError> {
    let spec = &run.spec;
    let mut notes: Vec<String> = measured_on(&spec.data).into_iter().collect();
    let builds = Manifest::load(&run.out).map(|manifest| manifest.builds).unwrap_or_default();
    if builds.len() > 1 {
        notes.push(format!(
            "Several builds worked on this run, so its cells may not be comparable: {}.",
            builds.join(", ")
        ));
    }
    let trained = spec.data.train.names();
    if spec.data.test.iter().chain(&spec.data.val).any(|name| trained.contains(name)) {
        notes.push("Training data is evaluated on: scores say what was memorised.".to_owned());
    }
    notes.extend(run.plan.splits.iter().flat_map(Splits::notes));
    notes.extend(run.plan.notes.iter().cloned());
    for also in &spec.eval.also {
        notes.push(format!(
            "`{}` is measured on `{}`, of which nothing was trained on; its majority is of its own \
            answers, which no model knows.",
            also.name(),
            also.data
        ));
    }
    if spec.seeds.len() < FEW_SEEDS && spec.eval.tasks().next().is_some() {
        notes.push(format!(
            "{} seed(s): intervals over seeds need at least two, and mean little below three.",
            spec.seeds.len()
        ));
    }
    notes.extend(left_out);
    notes.extend(alerts.iter().map(alert_note));
    if spec.sweep.contains_key("stage1.enabled") {
        notes.push(
            "Cells without stage 1 get the same number of stage-2 steps, as in the paper's \
            figure 5: what stage 1 itself costs is not made up for."
                .to_owned(),
        );
    }
    notes.extend(retrieval_notes(jobs)?);
    Ok(notes)
}
