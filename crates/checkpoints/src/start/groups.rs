//! Groups of tensors that a start may do without, each with its reason.

use super::{BRIDGE, StartReport, Wanted};
use crate::CheckpointError;
use toolkit_core::params::Info;
use toolkit_models::weights::reader::Plan;

/// Reason for a projection at its initialisation.
pub(super) const LEFT_PROJECTION: &str =
    "the file has no projection to a language model of this family and width";

/// Groups of tensors of whole models that no connector has, by the beginnings of their names.
const UNUSED: [(&[&str], &str); 3] = [
    (
        &["visual_encoder.", "vision_model.", "vision."],
        "the encoder is that of its card, not of this file",
    ),
    (
        &["opt_model.", "t5_model.", "llm_model.", "language_model.", "language."],
        "the language model is that of its card, not of this file",
    ),
    (
        &["opt_proj.", "t5_proj.", "llm_proj.", "language_projection."],
        "a projection to another language model",
    ),
];

/// Returns the reason for which a tensor of the file is not used; `None` if there is none, and it
/// should have been. `first` is `true` for a start of stage 1.
pub(super) fn unused_reason(tensor: &str, first: bool) -> Option<&'static str> {
    let begins = |levels: &[&str]| levels.iter().any(|level| tensor.starts_with(level));
    match UNUSED.iter().position(|(levels, _)| begins(levels)) {
        Some(2) if first => Some("stage 1 has no projection to a language model"),
        Some(at) => Some(UNUSED[at].1),
        None => None,
    }
}

/// Parameters of the bridge that the file has none of, by group. Groups that lack in part are errors
/// of the reader.
pub(super) struct LeftInBridge {
    text: Vec<Info>,
    caption: Vec<Info>,
}

impl LeftInBridge {
    /// Finds them. Bridges of other families than the Q-Former have no groups.
    pub(super) fn of(wanted: &Wanted, plan: &Plan) -> Self {
        let left = |group: &str| -> Vec<Info> {
            let of = |info: &&Info| wanted.names.optional_group(&info.name) == Some(group);
            let lacks = |info: &&Info| of(info) && !plan.has(&info.name);
            wanted.bridge.iter().filter(lacks).cloned().collect()
        };
        Self { text: left("text"), caption: left("caption") }
    }

    /// Reports them; `first` is `true` for a start of stage 1.
    ///
    /// # Errors
    /// If stage 1 is to be trained and the file has no text side.
    pub(super) fn report(
        &self,
        report: &mut StartReport,
        first: bool,
    ) -> Result<(), CheckpointError> {
        if !self.text.is_empty() && first {
            let what = "this file has no text side of the Q-Former, which stage 1 trains: it was \
                saved after stage 2";
            let hint = "start from a file of stage 1, or leave `[stage1]` out";
            return Err(CheckpointError::new(what, &report.from, hint));
        }
        if !self.caption.is_empty() && first {
            report.notes.push(
                "stage 1 cannot be continued exactly: the file has no captioning head and no \
                temperature, as published retrieval models have none"
                    .to_owned(),
            );
        }
        let reason = match first {
            true => "the file has none",
            false => "the file has none, and stage 2 does not use it",
        };
        report.leave(BRIDGE, &self.text, reason);
        report.leave(BRIDGE, &self.caption, reason);
        Ok(())
    }
}
