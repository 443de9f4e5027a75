//! Values of the command line and of `[smoke]`, set over those of an experiment file.

use crate::LabError;
use crate::experiment::pretrain_spec::PretrainSpec;
use crate::experiment::spec::Spec;
use toolkit_registry::Source;
use toolkit_system::problem::Problem;

/// Most names of a dotted key; the longest key of an experiment file has three.
const DEEPEST_KEY: usize = 16;

/// Sets `a.b.c` in `table`; only the last name may be new.
fn set(table: &mut toml::Table, key: &str, value: toml::Value) -> Result<(), String> {
    let names: Vec<&str> = key.split('.').collect();
    let mut at = table;
    // Tables inside tables are written and dropped by recursion, which deep ones would overflow.
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

/// Parses `key=value` as given to `--set`. A value that is no TOML is taken as a string.
///
/// # Errors
/// Without `=`.
pub fn parse_set(argument: &str) -> Result<(String, toml::Value), LabError> {
    let (key, value) = argument.split_once('=').ok_or_else(|| {
        Problem::new(format_args!("`--set {argument}` has no `=`"))
            .hint("write `--set stage2.steps=100`")
    })?;
    let (key, value) = (key.trim(), value.trim());
    let parsed = format!("v = {value}").parse::<toml::Table>().ok().and_then(|mut t| t.remove("v"));
    Ok((key.to_owned(), parsed.unwrap_or_else(|| toml::Value::String(value.to_owned()))))
}

/// Parses an experiment file and sets its `[smoke]` values, if asked for, and those of the command
/// line. Returns the settings and the table that they were parsed from.
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
        .map_err(|e| Problem::new(e.message()).hint("check the file"))?;
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
            Problem::new(format_args!("`--set {argument}`: {what}"))
                .hint("keys are those of the experiment file")
        })?;
    }
    spec.check(source)?;
    Ok((spec, table))
}

/// Sets one key of `table` and parses the table again. The error is text for the caller to place.
pub(super) fn apply(
    table: &mut toml::Table,
    key: &str,
    value: toml::Value,
) -> Result<Spec, String> {
    set(table, key, value)?;
    let text = toml::to_string(table).map_err(|e| e.to_string())?;
    let parsed = Source::new("", text).and_then(|s| s.parse::<Spec>());
    parsed.map_err(|e| if e.hint.is_empty() { e.what } else { format!("{} ({})", e.what, e.hint) })
}

/// Parses the experiment file of a pre-training and sets the values of the command line.
///
/// # Errors
/// At a key of the file, or naming the `--set` argument that does not fit.
pub fn resolve_pretrain(source: &Source, overrides: &[String]) -> Result<PretrainSpec, LabError> {
    let mut spec: PretrainSpec = source.parse()?;
    let mut table: toml::Table = toml::from_str(source.text())
        .map_err(|e| Problem::new(e.message()).hint("check the file"))?;
    for argument in overrides {
        spec = set_in_list(&mut table, argument)?;
    }
    spec.check()?;
    Ok(spec)
}

/// Sets a dotted key, `part.0.steps` for one of a list, and parses again.
fn set_in_list(table: &mut toml::Table, argument: &str) -> Result<PretrainSpec, LabError> {
    let wrong = |what: String| {
        Problem::new(format_args!("`--set {argument}`: {what}"))
            .hint("keys are those of the experiment file, `part.0.steps` for the first part")
    };
    let (key, value) = parse_set(argument)?;
    let mut names: Vec<&str> = key.split('.').collect();
    let last = names.pop().unwrap_or_default();
    let mut at = &mut *table;
    let mut names = names.into_iter();
    while let Some(name) = names.next() {
        let inner = at.get_mut(name).ok_or_else(|| wrong(format!("there is no `{name}`")))?;
        let inner = match inner {
            toml::Value::Array(list) => {
                names.next().and_then(|index| list.get_mut(index.parse::<usize>().ok()?))
            }
            other => Some(other),
        };
        at = inner
            .and_then(toml::Value::as_table_mut)
            .ok_or_else(|| wrong(format!("`{name}` is no table with that number")))?;
    }
    at.insert(last.to_owned(), value);
    let text = toml::to_string(table).map_err(|e| wrong(e.to_string()))?;
    let parsed = Source::new("", text).and_then(|source| source.parse());
    Ok(parsed.map_err(|e| wrong(e.what))?)
}
