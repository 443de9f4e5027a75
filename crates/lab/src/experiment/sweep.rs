//! From one file to cells: overrides, axes, seeds.

use crate::experiment::spec::Spec;
use crate::{LabError, work::pretrain};
use std::collections::BTreeMap;
use toolkit_registry::Source;

/// One combination of axis values with one seed.
#[derive(Clone, Debug)]
pub struct Cell {
    /// The resolved experiment, without sweep, with one seed.
    pub spec: Spec,
    /// Axis key to value, as text.
    pub axes: BTreeMap<String, String>,
    /// The seed.
    pub seed: u64,
    /// Hashes of the task cards, in the order of `[eval]`; set by the plan.
    pub tasks: Vec<String>,
    /// Short hash of all that determines the result; set by the plan.
    pub id: String,
}

/// Names of a dotted key; the longest of an experiment file has three.
const DEEPEST_KEY: usize = 16;

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

/// An axis value as people write it.
#[must_use]
pub fn text(value: &toml::Value) -> String {
    match value {
        toml::Value::String(s) => s.clone(),
        toml::Value::Boolean(true) => "on".to_owned(),
        toml::Value::Boolean(false) => "off".to_owned(),
        // Weights, such as those of the losses: what has none is not there.
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

/// Sets `a.b.c` in `table`; only the last name may be new.
fn set(table: &mut toml::Table, key: &str, value: toml::Value) -> Result<(), String> {
    let (mut at, names): (&mut toml::Table, Vec<&str>) = (table, key.split('.').collect());
    // Tables inside tables are written and dropped by functions that call themselves.
    if names.len() > DEEPEST_KEY {
        return Err(format!("a key of {} names; no key has more than {DEEPEST_KEY}", names.len()));
    }
    for (depth, name) in names[..names.len() - 1].iter().enumerate() {
        // Tables with defaults, such as `stage1.losses`, need not be written in the file.
        let inner =
            at.entry((*name).to_owned()).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        at = inner
            .as_table_mut()
            .ok_or_else(|| format!("`{}` is no table", names[..=depth].join(".")))?;
    }
    at.insert(names[names.len() - 1].to_owned(), value);
    Ok(())
}

/// `key=value` as given to `--set`; a value that is no TOML is taken as a string.
///
/// # Errors
/// Without `=`.
pub fn parse_set(argument: &str) -> Result<(String, toml::Value), LabError> {
    let (key, value) = argument.split_once('=').ok_or_else(|| {
        LabError::new(format!("`--set {argument}` has no `=`"), "write `--set stage2.steps=100`")
    })?;
    let (key, value) = (key.trim(), value.trim());
    let parsed = format!("v = {value}").parse::<toml::Table>().ok().and_then(|mut t| t.remove("v"));
    Ok((key.to_owned(), parsed.unwrap_or_else(|| toml::Value::String(value.to_owned()))))
}

/// An experiment file with what was set on the command line, and its smoke settings if asked for.
///
/// # Errors
/// At a key of the file, or naming the `--set` argument that does not fit.
pub fn resolve(
    source: &Source,
    overrides: &[String],
    smoke: bool,
) -> Result<(Spec, toml::Table), LabError> {
    let mut spec: Spec = source.parse()?;
    spec.check(source)?;
    let mut table: toml::Table = toml::from_str(source.text())
        .map_err(|e| LabError::new(e.message().to_owned(), "check the file"))?;
    if smoke {
        for (key, value) in spec.smoke.clone() {
            let place = format!("smoke.{key}");
            let fail = |what: String| {
                LabError::Problem(source.error_at(
                    &place,
                    what,
                    "`[smoke]` holds dotted keys of this file",
                ))
            };
            spec = apply(&mut table, &key, value).map_err(fail)?;
        }
    }
    for argument in overrides {
        let (key, value) = parse_set(argument)?;
        spec = apply(&mut table, &key, value).map_err(|what| {
            LabError::new(
                format!("`--set {argument}`: {what}"),
                "keys are those of the experiment file",
            )
        })?;
    }
    spec.check(source)?;
    Ok((spec, table))
}

/// Sets one key and parses again.
fn apply(table: &mut toml::Table, key: &str, value: toml::Value) -> Result<Spec, String> {
    set(table, key, value)?;
    let text = toml::to_string(table).map_err(|e| e.to_string())?;
    let parsed = Source::new("", text).and_then(|s| s.parse::<Spec>());
    parsed.map_err(|e| if e.hint.is_empty() { e.what } else { format!("{} ({})", e.what, e.hint) })
}

/// All cells in order: axes by name, the last one fastest, then seeds.
///
/// # Errors
/// At the axis whose key or value does not fit, or a baseline that no cell has.
pub fn cells(source: &Source, spec: &Spec, table: &toml::Table) -> Result<Vec<Cell>, LabError> {
    check_number(source, spec)?;
    let mut base = table.clone();
    for key in ["sweep", "baseline", "labels", "smoke"] {
        base.remove(key);
    }
    let mut combinations: Vec<(toml::Table, BTreeMap<String, String>)> =
        vec![(base, BTreeMap::new())];
    for (key, values) in &spec.sweep {
        if values.is_empty() {
            return Err(source
                .error_at("sweep", format!("axis `{key}` has no values"), "list at least one")
                .into());
        }
        let mut next = Vec::new();
        for (table, axes) in &combinations {
            for value in values {
                let (mut table, mut axes) = (table.clone(), axes.clone());
                apply(&mut table, key, value.clone()).map_err(|what| {
                    LabError::Problem(source.error_at(
                        "sweep",
                        format!("axis `{key}` = {value}: {what}"),
                        "axes are dotted keys of this file",
                    ))
                })?;
                axes.insert(key.clone(), text(value));
                next.push((table, axes));
            }
        }
        combinations = next;
    }
    for (key, value) in &spec.baseline {
        if !spec.sweep.get(key).is_some_and(|values| values.contains(value)) {
            let what = format!("baseline `{key}` = {value} is no value of that axis");
            return Err(source
                .error_at("baseline", what, "name an axis of `[sweep]` and one of its values")
                .into());
        }
    }
    let mut cells = Vec::new();
    for (table, axes) in combinations {
        let text =
            toml::to_string(&table).map_err(|e| LabError::new(e.to_string(), "check the file"))?;
        let cell_source = Source::new(source.name().to_owned(), text)?;
        let parsed: Spec = cell_source.parse()?;
        parsed.check(source)?;
        for &seed in &spec.seeds {
            let spec = Spec { seeds: vec![seed], ..parsed.clone() };
            cells.push(Cell {
                spec,
                axes: axes.clone(),
                seed,
                tasks: Vec::new(),
                id: String::new(),
            });
        }
    }
    Ok(cells)
}

/// What a file holds.
pub enum Experiment {
    /// Pre-training of backbones.
    Pretrain(pretrain::PretrainSpec),
    /// An ablation.
    Ablation,
}

/// Looks at `kind` and, for pre-training, parses the file.
///
/// # Errors
/// If the file is neither.
pub fn kind(source: &Source) -> Result<Experiment, LabError> {
    let table = source.table();
    match table.get("kind").and_then(|v| v.get_ref().as_str()) {
        Some("pretrain") => Ok(Experiment::Pretrain(source.parse()?)),
        _ => Ok(Experiment::Ablation),
    }
}
