//! Files of finished runs that are compared.

use crate::LabError;
use crate::files::read_json;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use toolkit_system::problem::Problem;

/// A cell of a finished run.
pub(super) struct FinishedCell {
    /// Id, which names its folder.
    pub(super) id: String,
    /// Scores by name.
    pub(super) scores: Value,
}

/// Reads the settings of a run.
pub(super) fn spec(run: &Path) -> Result<Value, LabError> {
    let path = run.join("spec.toml");
    let text = read_finished(&path)?;
    let table: toml::Table = toml::from_str(&text).map_err(|e| {
        LabError::from(
            Problem::new(format_args!("{}: {}", path.display(), e.message()))
                .hint("the file was edited: run the experiment again"),
        )
    })?;
    serde_json::to_value(table).map_err(|e| LabError::from(Problem::defect(e)))
}

/// Reads a file that every finished run has.
pub(super) fn read_finished(path: &Path) -> Result<String, LabError> {
    toolkit_system::input::read_to_string(path).map_err(|e| match e.kind() {
        ErrorKind::NotFound => LabError::from(Problem::new(format_args!("{}: it is gone", path.display())).hint("the `toolkit run` command that made this run makes it again, or says what to remove \
            first")),
        _ => LabError::io(path, &e),
    })
}

/// Reads the cells of a run, by axes and seed.
pub(super) fn cells(run: &Path) -> Result<BTreeMap<String, FinishedCell>, LabError> {
    let path = run.join("results.json");
    if !path.exists() {
        return Err(Problem::new(format_args!("{}: no results yet", run.display()))
            .hint("`toolkit run` it to its end")
            .into());
    }
    let results: Value = read_json(&path)?;
    let cell = |cell: &Value| {
        let axes = cell["axes"].as_object().into_iter().flatten();
        let axes: Vec<String> =
            axes.map(|(key, value)| format!("{key} = {}", text(value))).collect();
        let name = [axes, vec![format!("seed {}", cell["seed"])]].concat().join(", ");
        (name, FinishedCell { id: text(&cell["id"]), scores: cell["scores"].clone() })
    };
    Ok(results["cells"].as_array().into_iter().flatten().map(cell).collect())
}

/// Returns a value as text, strings without quotes.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
