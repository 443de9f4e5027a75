//! Weight files: the names and layouts that parts are published in, reading, fitting and writing.
//!
//! | module | purpose |
//! |---|---|
//! | [`names`] | published names of each parameter |
//! | [`reader`] | fits the tensors of a file to the parameters of a part |
//! | [`StoredDtype`], [`read_safetensors`], [`write_safetensors`] | safetensors files |

mod dtype;
mod error;
mod levels;
mod listing;
pub mod names;
pub mod reader;
mod safetensors;
mod write;

pub use dtype::StoredDtype;
pub use error::WeightsError;
pub use safetensors::{import, read_safetensors};
pub use write::write_safetensors;

#[cfg(test)]
mod tests;
