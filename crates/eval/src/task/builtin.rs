//! The kinds of task that come with the toolkit, one line each.

use super::TaskFamily;
use crate::{CaptionTask, RetrievalTask, VqaTask};

pub(super) const KINDS: [(&str, TaskFamily); 3] = [
    ("vqa", TaskFamily::of::<VqaTask>()),
    ("caption", TaskFamily::of::<CaptionTask>()),
    ("retrieval", TaskFamily::of::<RetrievalTask>()),
];
