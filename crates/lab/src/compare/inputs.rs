//! Differences between the inputs of two runs: their manifests.

use crate::LabError;
use crate::compare::values::{Difference, differences, flat};
use crate::run::manifest::Manifest;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use toolkit_system::problem::Problem;

/// Keys of a manifest that say how a run was called, not what it is made of.
const CALL: [&str; 4] = ["command", "cells", "stage1", "builds"];

/// Keys of a manifest that a repetition must have in common.
const INPUTS: [&str; 7] = ["cards", "weights", "data", "tasks", "seeds", "device", "arithmetic"];

/// Returns what a run is made of, by dotted key. Keys that are empty, or that an older version did
/// not write, are left out.
pub(super) fn facts(manifest: &Manifest) -> Result<BTreeMap<String, Value>, LabError> {
    let mut all = serde_json::to_value(manifest).map_err(Problem::defect)?;
    if let Some(map) = all.as_object_mut() {
        map.retain(|key, value| !CALL.contains(&key.as_str()) && !is_empty(value));
    }
    Ok(flat(&all))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Returns the differences between the inputs of a run and those of a plan that has not been
/// carried out. Inputs that an older version did not write down are passed over.
///
/// # Errors
/// None of a manifest that was read or made here.
pub fn made_of(run: &Manifest, planned: &Manifest) -> Result<Vec<Difference>, LabError> {
    let (run, planned) = (facts(run)?, facts(planned)?);
    let table = |key: &str| key.split('.').next().unwrap_or_default().to_owned();
    let written: BTreeSet<String> = run.keys().map(|key| table(key)).collect();
    let inputs = |all: BTreeMap<String, Value>| -> BTreeMap<String, Value> {
        let is_input = |key: &str| {
            let table = table(key);
            INPUTS.contains(&table.as_str()) && written.contains(&table)
        };
        all.into_iter().filter(|(key, _)| is_input(key)).collect()
    };
    Ok(differences(&inputs(run), &inputs(planned)))
}
