//! The report of a start: each parameter and each tensor of the file, once.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use toolkit_core::params::Info;
use toolkit_models::weights::reader::Plan;

/// Most names of a group in a line.
const SHOWN: usize = 3;

/// Tensors that a training started from.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
pub struct StartReport {
    /// The checkpoint.
    pub from: String,
    /// SHA-256 of the names, shapes and values that were taken.
    pub sha256: String,
    /// Parameters of the connector, with the tensors of the file that they are made of.
    pub taken: BTreeMap<String, Vec<String>>,
    /// Parameters that stayed at their initialisation, with the reason.
    pub left: BTreeMap<String, String>,
    /// Tensors of the file that were not used, with the reason.
    pub unused: BTreeMap<String, String>,
    /// Consequences that are not seen in the numbers.
    pub notes: Vec<String>,
}

impl StartReport {
    pub(super) fn new(from: &str) -> Self {
        Self { from: from.to_owned(), ..Self::default() }
    }

    /// Adds the parameters that the plan found.
    pub(super) fn take(&mut self, level: &str, infos: &[Info], plan: &Plan) {
        for info in infos {
            let tensors: Vec<String> = plan.tensors(&info.name).map(str::to_owned).collect();
            if !tensors.is_empty() {
                self.taken.insert(format!("{level}{}", info.name), tensors);
            }
        }
    }

    /// Adds parameters that stay at their initialisation.
    pub(super) fn leave(&mut self, level: &str, infos: &[Info], reason: &str) {
        let named = infos.iter().map(|info| (format!("{level}{}", info.name), reason.to_owned()));
        self.left.extend(named);
    }

    /// Renders the report in lines: a count, then each reason with the tensors that it holds for.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let (taken, left, unused) = (self.taken.len(), self.left.len(), self.unused.len());
        let mut lines = vec![format!(
            "start from {}: {taken} parameters taken, {left} left at their initialisation, \
            {unused} tensors of the file not used",
            self.from
        )];
        lines.extend(by_reason("left at their initialisation", &self.left));
        lines.extend(by_reason("not used", &self.unused));
        lines.extend(self.notes.iter().cloned());
        lines
    }
}

fn by_reason(what: &str, names: &BTreeMap<String, String>) -> Vec<String> {
    let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, reason) in names {
        reasons.entry(reason).or_default().push(name);
    }
    let line = |(reason, names): (&str, Vec<&str>)| {
        let more = if names.len() > SHOWN { ", .." } else { "" };
        let shown = names[..names.len().min(SHOWN)].join(", ");
        format!("{} {what} ({reason}): {shown}{more}", names.len())
    };
    reasons.into_iter().map(line).collect()
}
