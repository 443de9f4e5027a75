//! Generation and zero-shot evaluation: answers, captions, retrieval.
//!
//! Everything here runs on a plain device: modules come from `module.valid()` and tensors from
//! `device.without_autodiff()`. On an autodiff device a graph would be kept for every generated
//! token, so
//! [`Writer::continue_texts`] refuses one.

mod batches;
mod beam;
mod caption;
mod choices;
mod controls;
mod decoding;
mod error;
mod generate;
pub mod official;
mod pairs;
mod published;
mod retrieve;
mod sample;
mod samples;
mod similar;
mod source;
mod task;
mod vqa;

pub use batches::{Batches, Keep};
pub use caption::{CaptionResult, CaptionRow, CaptionSummary, caption};
pub use choices::Choice;
pub use controls::{derangement, majority_baseline};
pub use decoding::{Decoding, EarlyStopping};
pub use error::EvalError;
pub use generate::{Generated, ReadPrompt, Speaker, Writer};
pub use published::{Compared, PAPER, Published, compare, published};
pub use retrieve::{RetrievalConfig, RetrievalResult, RetrievalRow, retrieve};
pub use samples::{read_samples, write_samples};
pub use source::{PrefixSource, captioned_items, question_pairs, unique_captions};
pub use task::{CaptionTask, Pool, RetrievalTask, Task, VqaTask};
pub use vqa::{VqaResult, VqaRowResult, vqa};

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests;
