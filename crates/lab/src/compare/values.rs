//! Differences between two JSON values.

use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A value that is not the same in both runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Key of the manifest or the experiment, or a score.
    pub at: String,
    /// Value in the first run; null if it is not there.
    pub a: Value,
    /// Value in the second run.
    pub b: Value,
}

/// Returns the values below `value` that are no tables, by dotted key.
pub(super) fn flat(value: &Value) -> BTreeMap<String, Value> {
    fn walk(at: &str, value: &Value, all: &mut BTreeMap<String, Value>) {
        match value {
            Value::Object(map) => {
                for (key, inner) in map {
                    walk(
                        &if at.is_empty() { key.clone() } else { format!("{at}.{key}") },
                        inner,
                        all,
                    );
                }
            }
            other => {
                all.insert(at.to_owned(), other.clone());
            }
        }
    }
    let mut all = BTreeMap::new();
    walk("", value, &mut all);
    all
}

/// Returns the keys whose values differ.
pub(super) fn differences(
    a: &BTreeMap<String, Value>,
    b: &BTreeMap<String, Value>,
) -> Vec<Difference> {
    let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let of =
        |all: &BTreeMap<String, Value>, key: &String| all.get(key).cloned().unwrap_or(Value::Null);
    let all =
        keys.into_iter().map(|key| Difference { at: key.clone(), a: of(a, key), b: of(b, key) });
    all.filter(|d| d.a != d.b).collect()
}
