//! Files of captions and answers in the form of the official tools, scored as those tools do:
//! `toolkit score`.

mod answer;
mod captions;
mod file;
mod id;
mod vqa;

pub use captions::{CaptionFiles, ScoredCaption, ScoredCaptions};
pub use id::Id;
pub use vqa::{ScoredAnswer, VqaFiles};
