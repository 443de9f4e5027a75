//! Readers of the files that published weights come in: safetensors (also sharded), PyTorch
//! checkpoints (zip and the older bare pickle), GGUF and ONNX.
//!
//! [`Tensors::open`] maps the file into memory and reads only its directory. [`Tensors::read`]
//! decodes one tensor at a time to row-major `f32`.
//!
//! Files may be hostile. Every claimed length and offset is checked against the file before it is
//! used, and nothing is allocated from a claim alone. A pickle is read by a machine that cannot
//! call anything (see [`torch`]).
//!
//! | module | purpose |
//! |---|---|
//! | [`Tensors`] | weights of a file or folder: names, shapes, numbers, metadata |
//! | `open`, `shards`, `opened` | a path, an index of shards, one file by its first bytes |
//! | `directory`, `stored`, `bytes` | tensors of a file by name, the place of each, its bytes |
//! | [`Dtype`], `decode`, `quant` | types of numbers, from bytes to floats, GGUF's blocks |
//! | `safetensors` | safetensors |
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

mod bytes;
mod decode;
mod directory;
mod dtype;
mod error;
mod onnx;
mod open;
mod opened;
mod quant;
mod safetensors;
mod shards;
mod stored;
mod tensors;

pub mod gguf;
pub mod torch;

pub use dtype::{Dtype, Format, TensorInfo};
pub use error::FormatError;
pub use tensors::Tensors;
