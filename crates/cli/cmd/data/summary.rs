//! Counts of a data set, and the scores of its commonest answers.

use serde_json::{Value, json};
use toolkit_data::Dataset;
use toolkit_eval::{VqaResult, majority_baseline, question_pairs};

/// Scores of the commonest answers of the training data, if the data have questions.
pub(super) struct Majority(Option<VqaResult>);

impl Majority {
    /// Answers every question of `data` with the commonest answer of `train`. Without training
    /// questions there is none.
    pub(super) fn of(train: &dyn Dataset, data: &dyn Dataset) -> Self {
        let pairs = question_pairs(data, None);
        Self(majority_baseline(train, data, &pairs).ok().filter(|_| !pairs.is_empty()))
    }

    pub(super) fn json(&self) -> Value {
        let scores = |found: &VqaResult| {
            json!({
                "overall": found.overall, "per_kind": found.per_kind, "per_group": found.per_group,
            })
        };
        json!(self.0.as_ref().map(scores))
    }

    pub(super) fn text(&self) -> String {
        let Some(found) = &self.0 else { return String::new() };
        let Some(overall) = found.overall else { return String::new() };
        let kinds =
            found.per_kind.iter().map(|(kind, score)| format!("    {kind:<22}{score:.2} %\n"));
        format!("  {:<24}{overall:.2} %\n{}", "commonest answer", kinds.collect::<String>())
    }
}

/// Writes counts, one a line.
pub(super) fn counts(counts: &[(&str, u64)]) -> String {
    counts.iter().map(|(what, number)| format!("  {what:<24}{number}\n")).collect()
}
