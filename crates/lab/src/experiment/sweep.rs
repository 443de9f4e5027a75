//! The cells of an experiment: one for each combination of axis values and each seed.

use crate::LabError;
use crate::experiment::overrides::apply;
use crate::experiment::spec::Spec;
use crate::experiment::start::StartFile;
use std::collections::BTreeMap;
use toolkit_registry::Source;
use toolkit_system::problem::Problem;

/// Combination of axis values with one seed.
#[derive(Clone, Debug)]
pub struct ExperimentCell {
    /// Experiment without sweep, with one seed.
    pub spec: Spec,
    /// Axis keys with their values as text.
    pub axes: BTreeMap<String, String>,
    /// Seed.
    pub seed: u64,
    /// Checkpoint that `model.from` names; set by the run.
    pub start: Option<StartFile>,
    /// Hashes of the task cards, in the order of `[eval]`; set by the plan.
    pub tasks: Vec<String>,
    /// Short hash of all that determines the result; set by the plan.
    pub id: String,
}

/// Most cells of an experiment. Each is a training of minutes at least.
const MOST_CELLS: usize = 4096;

/// Counts the cells of a sweep before any is made.
fn check_number(source: &Source, spec: &Spec) -> Result<(), LabError> {
    let number = spec.sweep.values().map(Vec::len).chain([spec.seeds.len()]).map(|n| n.max(1));
    let number = number.fold(1, usize::saturating_mul);
    if number <= MOST_CELLS {
        return Ok(());
    }
    let what =
        format!("{number} cells: values of all axes times seeds; at most {MOST_CELLS} are run");
    let longest = spec.sweep.values().map(Vec::len).max().unwrap_or(0);
    let key = if spec.seeds.len() > longest { "seeds" } else { "sweep" };
    Err(source.error_at(key, what, "leave out values or seeds, or split the file").into())
}

/// Writes an axis value as people do: `on`, `off`, `itc + itm`.
#[must_use]
pub fn text(value: &toml::Value) -> String {
    match value {
        toml::Value::String(s) => s.clone(),
        toml::Value::Boolean(true) => "on".to_owned(),
        toml::Value::Boolean(false) => "off".to_owned(),
        // Weights, such as those of the losses; those of 0 are left out.
        toml::Value::Table(weights) if weights.values().all(|v| v.is_float() || v.is_integer()) => {
            let weight =
                |v: &toml::Value| v.as_float().unwrap_or(v.as_integer().unwrap_or(0) as f64);
            let named =
                weights.iter().filter(|(_, v)| weight(v) != 0.0).map(|(name, v)| match weight(v) {
                    1.0 => name.clone(),
                    other => format!("{other} {name}"),
                });
            named.collect::<Vec<_>>().join(" + ")
        }
        other => other.to_string(),
    }
}

/// Values of one combination of axes, as TOML and as text.
struct Combination {
    table: toml::Table,
    axes: BTreeMap<String, String>,
}

/// Makes all cells in order: axes by name, the last one fastest, then seeds.
///
/// # Errors
/// At the axis whose key or value does not fit, or a baseline that no cell has.
pub fn cells(
    source: &Source,
    spec: &Spec,
    table: &toml::Table,
) -> Result<Vec<ExperimentCell>, LabError> {
    check_number(source, spec)?;
    let combinations = combinations(source, spec, table)?;
    check_baseline(source, spec)?;
    let mut cells = Vec::new();
    for Combination { table, axes } in combinations {
        let text = toml::to_string(&table).map_err(|e| Problem::new(e).hint("check the file"))?;
        let parsed: Spec = Source::new(source.name().to_owned(), text)?.parse()?;
        parsed.check(source)?;
        for &seed in &spec.seeds {
            cells.push(ExperimentCell {
                spec: Spec { seeds: vec![seed], ..parsed.clone() },
                axes: axes.clone(),
                seed,
                start: None,
                tasks: Vec::new(),
                id: String::new(),
            });
        }
    }
    Ok(cells)
}

fn combinations(
    source: &Source,
    spec: &Spec,
    table: &toml::Table,
) -> Result<Vec<Combination>, LabError> {
    let mut base = table.clone();
    for key in ["sweep", "baseline", "labels", "smoke"] {
        base.remove(key);
    }
    let mut all = vec![Combination { table: base, axes: BTreeMap::new() }];
    for (key, values) in &spec.sweep {
        if values.is_empty() {
            let what = format!("axis `{key}` has no values");
            return Err(source.error_at("sweep", what, "list at least one").into());
        }
        let mut next = Vec::new();
        for Combination { table, axes } in &all {
            for value in values {
                let (mut table, mut axes) = (table.clone(), axes.clone());
                apply(&mut table, key, value.clone()).map_err(|what| {
                    let what = format!("axis `{key}` = {value}: {what}");
                    source.error_at("sweep", what, "axes are dotted keys of this file")
                })?;
                axes.insert(key.clone(), text(value));
                next.push(Combination { table, axes });
            }
        }
        all = next;
    }
    Ok(all)
}

fn check_baseline(source: &Source, spec: &Spec) -> Result<(), LabError> {
    for (key, value) in &spec.baseline {
        if !spec.sweep.get(key).is_some_and(|values| values.contains(value)) {
            let what = format!("baseline `{key}` = {value} is no value of that axis");
            let hint = "name an axis of `[sweep]` and one of its values";
            return Err(source.error_at("baseline", what, hint).into());
        }
    }
    Ok(())
}
