//! Readers of the files that published weights come in: safetensors (also sharded), PyTorch
//! checkpoints (zip and the older bare pickle), GGUF and ONNX.
//!
//! [`Tensors::open`] maps the file into memory and reads only its directory. [`Tensors::read`]
//! decodes one tensor at a time to row-major `f32`.
//!
//! Files may be hostile: every claimed length and offset is checked against the file before it is
//! used, nothing is allocated from a claim alone, and a pickle is read by a machine that cannot
//! call anything (see [`torch`]).
//!
//! | module | purpose |
//! |---|---|
//! | [`Tensors`], `open`, `source` | one file or a folder of shards, its names and its values |
//! | `entry`, `decode`, `quant`, [`Dtype`] | a stored tensor, its type, its floats |
//! | `safetensors`, `shards` | safetensors, and their index over several files |
//! | [`torch`] | pickles of PyTorch |
//! | [`gguf`] | GGUF with its metadata and tokenizer |
//! | `onnx` | initialisers of an ONNX graph |
//! | [`FormatError`] | the error |
//!
//! ```
//! use toolkit_formats::Tensors;
//!
//! let header = br#"{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
//! let mut file = (header.len() as u64).to_le_bytes().to_vec();
//! file.extend_from_slice(header);
//! file.extend([1.0_f32, 2.0].iter().flat_map(|x| x.to_le_bytes()));
//! let tensors = Tensors::from_bytes("x.safetensors", file)?;
//! assert_eq!(tensors.read("x")?, [1.0, 2.0]);
//! # Ok::<(), toolkit_formats::FormatError>(())
//! ```

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
