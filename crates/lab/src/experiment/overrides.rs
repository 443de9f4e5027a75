//! Values of the command line and of `[smoke]`, set over those of an experiment file.

use crate::LabError;
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
