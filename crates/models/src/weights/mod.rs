//! Weight files: reading, fitting to a part, and writing.
//!
//! The names that a part is published under stand in the family's file
//! ([`toolkit_core::published`]).
//!
//! | module | purpose |
//! |---|---|
//! | [`reader`] | fits the tensors of a file to the parameters of a part |
//! | [`StoredDtype`], [`read_safetensors`], [`write_safetensors`] | safetensors files of this toolkit |
//! | [`without_wrappers`], [`unusable`] | what training programs change in the names of a file |

mod dtype;
mod error;
mod levels;
mod listing;
pub mod reader;
mod safetensors;
mod ties;
mod wrappers;
mod write;

pub use dtype::StoredDtype;
pub use error::WeightsError;
pub use safetensors::{import, read_safetensors};
pub use ties::is_buffer;
pub use wrappers::{unusable, without_wrappers};
pub use write::write_safetensors;

#[cfg(test)]
mod tests;
