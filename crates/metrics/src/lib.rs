//! Metrics of vision-language evaluation, and the statistics to compare them.
//!
//! Pure functions: numbers and text in, numbers out. Every metric follows the official tool that
//! published numbers come from, quirks included. The fixtures of `tests/fixtures` hold the output
//! of those tools. [`Meteor`] reads its tables from a folder of pycocoevalcap. SPICE is not here.
//!
//! | module | purpose |
//! |---|---|
//! | `captions` | [`caption_scores`]: BLEU-1 to 4, ROUGE-L and CIDEr-D on PTB tokens |
//! | `ptb` | [`tokenize`]: the tokens of the COCO caption tools |
//! | `meteor` | [`Meteor`]: METEOR 1.5 with its tables |
//! | [`vqa`] | the official VQA accuracy, and exact match for GQA |
//! | [`retrieval`] | recall at 1, 5 and 10 in both directions |
//! | [`scores`] | names, units and directions of all scores, in one table |
//! | `stats` | intervals and tests over seeds and samples |
//!
//! Captions are scored against the references of their image:
//!
//! ```
//! use toolkit_metrics::caption_scores;
//!
//! let captions = ["a dog runs on grass".to_owned(), "a red bus".to_owned()];
//! let references = [
//!     vec!["a dog runs on the grass".to_owned(), "a brown dog running".to_owned()],
//!     vec!["a red double decker bus".to_owned()],
//! ];
//! let scores = caption_scores(&captions, &references).expect("there are two images");
//! assert!((0.0..=1.0).contains(&scores.bleu4) && scores.bleu1 > scores.bleu4);
//! assert!((0.0..=10.0).contains(&scores.cider));
//! assert_eq!(scores.per_image_cider.len(), 2);
//! ```
//!
//! An interval over pictures treats the questions about one picture as one draw:
//!
//! ```
//! use toolkit_metrics::bootstrap;
//!
//! let correct = [1.0, 1.0, 0.0, 0.0, 1.0, 0.0];
//! let pictures = [7, 7, 8, 8, 9, 9];
//! let interval = bootstrap(&correct, Some(&pictures), 2_000, 1).expect("three pictures");
//! assert_eq!((interval.mean, interval.n), (0.5, 3));
//! assert!(interval.low <= 0.5 && interval.high >= 0.5);
//! ```

mod captions;
mod meteor;
mod parallel;
mod ptb;
pub mod retrieval;
pub mod scores;
mod stats;
pub mod vqa;

pub use captions::bleu::{Bleu, bleu};
pub use captions::cider::{Cider, cider};
pub use captions::corpus::CaptionTokens;
pub use captions::notes::caption_notes;
pub use captions::rouge::rouge_l;
pub use captions::{CaptionScores, caption_scores};
pub use meteor::{Meteor, MeteorError, MeteorScores};
pub use parallel::Advance;
pub use ptb::{tokenize, tokenize_all};
pub use retrieval::{Retrieval, recall};
pub use stats::resampling::{bootstrap, paired_permutation};
pub use stats::student::{t_quantile, t_two_sided};
pub use stats::{Interval, PairedT, holm, mean, paired_t, std_dev, t_interval};
pub use vqa::{VqaRow, VqaScore};
