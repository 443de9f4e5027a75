//! Readers of the files that published weights come in: safetensors (also sharded), PyTorch
//! checkpoints (zip and the older bare pickle), GGUF and ONNX. [`Tensors::open`] maps the file into
//! memory and reads only its directory;
//! [`Tensors::read`] decodes one tensor at a time to row-major `f32`.
//!
//! Files are taken for hostile: every claimed length and offset is checked against the file before
//! it is used, nothing is allocated from a claim alone, and a pickle is read by a machine that
//! cannot call anything (see [`torch`]).

mod decode;
mod dtype;
mod entry;
mod error;
mod onnx;
mod open;
mod quant;
mod safetensors;
mod shards;
mod source;
mod tensors;

pub mod gguf;
pub mod torch;

pub use dtype::{Dtype, Format, Info};
pub use error::FormatError;
pub use tensors::Tensors;
