//! Names of cells for people.

use crate::experiment::spec::Spec;
use crate::work::cell_job::CellJob;

/// Names a cell by the values of its axes and its seed.
pub(crate) fn cell_name(job: &CellJob<'_>, spec: &Spec) -> String {
    format!("{}, seed {}", axes_name(job, spec), job.cell.seed)
}

/// Names a cell by the values of its axes.
pub(crate) fn axes_name(job: &CellJob<'_>, spec: &Spec) -> String {
    let named = |(key, value): (&String, &String)| match value.as_str() {
        "on" | "off" => format!("{} {value}", spec.labels.get(key).unwrap_or(key)),
        _ => value.clone(),
    };
    job.cell.axes.iter().map(named).collect::<Vec<_>>().join(", ")
}
