//! The result of a measurement.

use crate::EvalError;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use toolkit_metrics::{Interval, bootstrap};
use toolkit_system::problem::Problem;

/// Draws of a bootstrap interval.
const RESAMPLES: usize = 1000;

/// Result of a measurement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Scores by name, in the units of [`toolkit_metrics::scores`].
    pub scores: BTreeMap<String, f64>,
    /// 95 % bootstrap intervals over pictures, of scores that are means over samples.
    pub intervals: BTreeMap<String, Interval>,
    /// Samples: a JSON object for each.
    pub rows: Vec<Value>,
    /// Item of each row.
    pub items: Vec<usize>,
    /// Reasons for scores that surprise.
    pub notes: Vec<String>,
}

impl Measured {
    /// Creates a result of `rows`, each about the item of the same place.
    ///
    /// # Errors
    /// If a row is no JSON object.
    pub fn of<T: Serialize>(rows: &[T], items: Vec<usize>) -> Result<Self, EvalError> {
        let rows = rows.iter().map(serde_json::to_value).collect::<Result<_, _>>();
        let rows = rows.map_err(Problem::defect)?;
        Ok(Self { rows, items, ..Self::default() })
    }

    /// Returns the rows as JSON Lines.
    ///
    /// # Errors
    /// If a row holds a number that JSON has not.
    pub fn lines(&self) -> Result<Vec<u8>, EvalError> {
        let mut text = Vec::new();
        for row in &self.rows {
            serde_json::to_writer(&mut text, row).map_err(Problem::defect)?;
            text.push(b'\n');
        }
        Ok(text)
    }

    /// Adds the bootstrap interval of the mean of `each`. Values of one cluster are drawn together.
    pub fn add_interval(&mut self, name: &str, each: &[f64], clusters: Option<&[u64]>) {
        let interval = bootstrap(each, clusters, RESAMPLES, 0);
        self.intervals.extend(interval.map(|interval| (name.to_owned(), interval)));
    }
}
