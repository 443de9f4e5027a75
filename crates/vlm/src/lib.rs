//! One vision-language model in memory: an image encoder, a bridge and a language model.
//!
//! | module | purpose |
//! |---|---|
//! | [`generate`] | text generated behind a soft prefix: search, sampling, scores of given answers |
//! | [`ModelTokenizer`] | prompts, answers and sentences to token ids, and back |

mod error;
pub mod generate;
mod tokenizer;

pub use error::VlmError;
pub use generate::{Choice, Decoding, EarlyStopping, Generated, Generator};
pub use tokenizer::{Framing, ModelTokenizer};

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests;
