//! A vision-language model in memory: an image encoder, a bridge and a language model.
//!
//! Runs, published checkpoints and cards all make a [`Vlm`]; everything that uses a model takes
//! one.
//!
//! | module | purpose |
//! |---|---|
//! | `model`, `parts` | [`Vlm`] and its parts |
//! | `encode` | pictures to features, queries, soft prefixes; cross-attention |
//! | `answer`, `chat` | captions, answers, ranked candidates, a [`Conversation`] |
//! | `matching` | pictures compared with texts |
//! | [`generate`] | text generated after a soft prefix: search, sampling, scores of given answers |
//! | `tokenizer` | [`ModelTokenizer`]: prompts, answers and sentences to token ids, and back |
//! | `processor` | [`Processor`]: picture files to pixels |
//! | `prompts` | prompts and search settings that published models are quoted with |

mod answer;
mod chat;
mod encode;
mod error;
pub mod generate;
mod matching;
mod model;
mod parts;
mod processor;
mod prompts;
mod tokenizer;

pub use answer::{GeneratedText, RankedAnswer};
pub use chat::{Conversation, Turn};
pub use encode::{BATCH, ImageEmbeddings};
pub use error::VlmError;
pub use generate::{Choice, Decoding, EarlyStopping, Generated, Generator};
pub use matching::{MatchScores, TextEmbeddings};
pub use model::{TextSideSettings, Vlm};
pub use parts::{BridgePart, LanguagePart, VisionPart};
pub use processor::Processor;
pub use tokenizer::{Framing, ModelTokenizer};

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests;
