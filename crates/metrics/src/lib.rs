//! Metrics of vision-language evaluation, and the statistics to compare them.
//!
//! Pure functions: numbers and text in, numbers out. Captions ([`caption_scores`]: BLEU, ROUGE-L
//! and CIDEr-D on PTB tokens), questions ([`vqa`]), retrieval ([`retrieval`]), and intervals and
//! tests over seeds and samples ([`t_interval`], [`bootstrap`], [`paired_permutation`],
//! [`paired_t`], [`holm`]).
//!
//! Every metric follows the official tool that published numbers come from, quirks included (BLIP-2
//! specification, section 8); the fixtures of `tests/fixtures` hold what those tools print.
//! [`Meteor`] reads its tables from a folder of pycocoevalcap. SPICE is not here.

mod bleu;
mod captions;
mod cider;
mod corpus;
mod lcs;
mod meteor;
mod ngrams;
mod notes;
mod parallel;
mod ptb;
mod ptb_chars;
mod ptb_glued;
mod ptb_rules;
mod ptb_words;
mod resampling;
pub mod retrieval;
mod rouge;
mod stats;
mod student;
mod vocabulary;
pub mod vqa;
mod vqa_contractions;
mod vqa_text;

pub use bleu::{Bleu, bleu};
pub use captions::{CaptionScores, caption_scores};
pub use cider::{Cider, cider};
pub use corpus::CaptionTokens;
pub use meteor::{Meteor, MeteorError, MeteorScores};
pub use notes::caption_notes;
pub use parallel::Advance;
pub use ptb::{tokenize, tokenize_all};
pub use resampling::{bootstrap, paired_permutation};
pub use retrieval::{Retrieval, recall};
pub use rouge::rouge_l;
pub use stats::{Interval, PairedT, holm, mean, paired_t, std_dev, t_interval};
pub use student::{t_quantile, t_two_sided};
pub use vqa::{VqaRow, VqaScore};
