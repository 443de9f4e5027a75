//! Checkpoints as they are published: read, checked, converted.
//!
//! A [`Model`] is a whole BLIP-2, or the part of one that a file holds, with its tokenizer and
//! image processor. It is read from a Hugging Face folder or a LAVIS `.pth` by its configuration,
//! whatever the tensors are called there ([`toolkit_core::published`]). [`verify`] compares it with
//! what its source computed; [`mod@write`] and [`convert`] write it in another form.

mod byte_pairs;
pub mod config;
pub mod convert;

mod error;
mod folder;
mod json;
mod layout;
pub mod model;
pub mod processor;
pub mod tokens;
pub mod verify;
pub mod write;

pub use error::CheckpointError;
pub use model::{BridgePart, LanguagePart, Model, VisionPart};
