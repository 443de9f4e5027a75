//! Published checkpoints: reading, verification, conversion.
//!
//! [`open`] makes a [`Vlm`](toolkit_vlm::Vlm) of a whole BLIP-2, or of the part that a file has,
//! with its tokenizer and image processor. The form is a Hugging Face folder or a LAVIS `.pth`;
//! [`toolkit_core::published`] has the names of tensors in both.
//!
//! | module | purpose |
//! |---|---|
//! | `open`, `layout` | a checkpoint as a model in memory; the place of each parameter |
//! | [`start`] | weights that a training starts from |
//! | [`config`], [`processor`], [`tokens`] | the files next to the weights |
//! | `byte_pairs`, `folder`, `json`, `input` | reading of these files |
//! | [`verify`] | comparison with outputs that the checkpoint's source computed |
//! | [`convert`], [`mod@write`] | checkpoints in another form |
//!
//! ```
//! use burn::tensor::Device;
//! use std::path::Path;
//! use toolkit_checkpoints::verify::{Subject, verify};
//! use toolkit_checkpoints::{Loading, open};
//!
//! // A tiny stage-1 checkpoint of LAVIS, with the losses and gradients that LAVIS computed.
//! let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/stage1-tiny");
//! let subject = Subject {
//!     folder: Path::new(folder).to_owned(),
//!     open: &|device, frozen| open(folder, Loading { frozen, ..Loading::on(device) }),
//! };
//! let report = verify(&subject, None, &Device::flex())?;
//! assert!(report.holds());
//! # Ok::<(), toolkit_checkpoints::CheckpointError>(())
//! ```

mod byte_pairs;
pub mod config;
pub mod convert;
mod error;
mod folder;
mod input;
mod json;
mod layout;
mod open;
pub mod processor;
pub mod start;
pub mod tokens;
pub mod verify;
pub mod write;

pub use error::CheckpointError;
pub use open::{Loading, open};
