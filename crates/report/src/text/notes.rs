//! Notes of a report: missing scores, remarks, and what the results were made with.

use crate::stats::summary::Summary;
use crate::text::write::capital;
use crate::{Results, names};

/// Returns the reasons for missing main scores, a sentence each.
pub(crate) fn missing(summary: &Summary) -> Vec<String> {
    summary
        .absent
        .iter()
        .map(|(key, why)| format!("{}: –, for {why}.", capital(&names::long(key))))
        .collect()
}

/// Lists the notes of a report: first why main scores are missing.
pub(crate) fn notes(results: &Results, summary: &Summary) -> Vec<String> {
    missing(summary).into_iter().chain(results.notes.iter().cloned()).collect()
}

/// Names version, commit and device in a sentence. Empty if all are unknown.
pub(crate) fn revision(results: &Results) -> String {
    let version = if results.toolkit_version.is_empty() {
        String::new()
    } else {
        format!("toolkit {}", results.toolkit_version)
    };
    let git =
        if results.git.is_empty() { String::new() } else { format!("commit {}", results.git) };
    let device =
        if results.device.is_empty() { String::new() } else { format!("on {}", results.device) };
    let known: Vec<String> =
        [version, git, device].into_iter().filter(|text| !text.is_empty()).collect();
    if known.is_empty() { String::new() } else { format!("Made with {}.", known.join(", ")) }
}
