//! Published checkpoints: read, checked, converted.
//!
//! [`open`] reads a whole BLIP-2, or the part of one that a file holds, with its tokenizer and image
//! processor. The configuration tells the form (a Hugging Face folder, a LAVIS `.pth`),
//! [`toolkit_core::published`] the names of tensors.
//!
//! | module | purpose |
//! |---|---|
//! | `open` | a checkpoint to a [`Vlm`](toolkit_vlm::Vlm) |
//! | [`config`], [`processor`], [`tokens`] | the files beside the weights |
//! | [`verify`] | a comparison with what the checkpoint's source computed |
//! | [`convert`], [`mod@write`] | checkpoints in another form |

mod byte_pairs;
pub mod config;
pub mod convert;
mod error;
mod folder;
mod json;
mod layout;
mod open;
pub mod processor;
pub mod tokens;
pub mod verify;
pub mod write;

pub use error::CheckpointError;
pub use open::{Loading, open};
