//! Counts and findings of a data set, and the scores of its commonest answers.

use crate::text::table;
use serde_json::{Value, json};
use toolkit_data::{Dataset, Findings};
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

/// Writes the table of findings, and a line for each note.
pub(super) fn findings(found: &Findings, notes: &[String]) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for (fault, found) in found {
        let mut examples: Vec<String> = found.examples.iter().map(ToString::to_string).collect();
        if examples.is_empty() {
            examples.push(String::new());
        }
        for (at, example) in examples.into_iter().enumerate() {
            let (kind, count) =
                if at == 0 { (fault.name(), found.count.to_string()) } else { ("", String::new()) };
            rows.push(vec![kind.to_owned(), count, example]);
        }
    }
    let table = if rows.is_empty() {
        String::new()
    } else {
        table(&["finding", "count", "such as"], &rows)
    };
    let notes = notes.iter().map(|note| format!("note: {note}\n"));
    table + &notes.collect::<String>()
}
