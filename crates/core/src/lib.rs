//! The contract of the toolkit: the traits of a vision encoder, a bridge and a language model.
//!
//! A plug-in crate depends on this crate alone. Authors implement the static traits
//! [`VisionEncoder`], [`Bridge`] and [`LanguageModel`]. All other code holds the erased
//! [`AnyVision`], [`AnyBridge`] and [`AnyLanguage`]. These are still burn modules: parameter paths,
//! freezing, optimiser groups and checkpoints reach inside.
//!
//! | module | purpose |
//! |---|---|
//! | `vision`, `bridge`, `language` | the three traits, and their erased forms |
//! | `text_tower` | the passes that the losses of stage 1 are computed from |
//! | `shape`, `count`, `error` | sizes and costs before a tensor exists |
//! | `cache` | keys and values of tokens that a language model has read |
//! | `tokens`, `ends`, `normalise` | token ids, padded batches, statistics of pixels |
//! | [`params`] | parameters by checkpoint name: list, draw, export, import |
//! | [`published`] | names of the parameters in published files |
//! | [`noise`] | dropout as a function of seed and step |
//! | [`recompute`] | gradient checkpointing, block by block |
//! | `slot`, `erase` | a trait object that is a burn module |
//! | [`conform`] | the contract as checks to call in a test |
//!
//! Shapes are written `[batch, tokens, width]`. Masks are float tensors with 1 for visible and 0
//! for hidden.
//!
//! # Example
//!
//! A vision encoder that projects patches, and conforms:
//!
//! ```
//! use burn::module::Module;
//! use burn::nn::{Linear, LinearConfig};
//! use burn::tensor::{Device, Tensor};
//! use toolkit_core::{Cost, ShapeError, VisionEncoder, VisionShape, conform};
//!
//! #[derive(serde::Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct PatchConfig { image: usize, patch: usize, width: usize }
//!
//! #[derive(Module, Debug)]
//! struct Patches { proj: Linear, patch: usize }
//!
//! impl VisionEncoder for Patches {
//!     type Config = PatchConfig;
//!
//!     fn describe(c: &PatchConfig) -> Result<VisionShape, ShapeError> {
//!         ShapeError::unless_divides(("patch", c.patch), ("image", c.image))?;
//!         let (tokens, pixels) = ((c.image / c.patch).pow(2), 3 * c.patch * c.patch);
//!         let params = ((pixels + 1) * c.width) as u64;
//!         let flops = (2 * tokens * pixels * c.width) as u64;
//!         let cost = Cost { params, flops, activations: (tokens * c.width) as u64 };
//!         Ok(VisionShape { image: [c.image; 2], tokens, width: c.width, cost })
//!     }
//!
//!     fn build(c: &PatchConfig, device: &Device) -> Self {
//!         let proj = LinearConfig::new(3 * c.patch * c.patch, c.width).init(device);
//!         Self { proj, patch: c.patch }
//!     }
//!
//!     fn encode(&self, images: Tensor<4>) -> Tensor<3> {
//!         let [batch, channels, height, width] = images.dims();
//!         let (p, rows, columns) = (self.patch, height / self.patch, width / self.patch);
//!         let x = images.reshape([batch, channels, rows, p, columns, p]);
//!         let x = x.permute([0, 2, 4, 1, 3, 5]);
//!         self.proj.forward(x.reshape([batch, rows * columns, channels * p * p]))
//!     }
//! }
//!
//! conform::vision::<Patches>(&PatchConfig { image: 8, patch: 4, width: 5 });
//! ```
//!
//! To use it, register the family and write a card that names it: `docs/encoder.md`.

mod bridge;
mod cache;
pub mod conform;
mod count;
mod ends;
mod erase;
mod error;
mod language;
pub mod noise;
mod normalise;
pub mod params;
pub mod published;
pub mod recompute;
mod shape;
mod slot;
mod text_tower;
mod tokens;
mod vision;

pub use bridge::{AnyBridge, Bridge, DynBridge};
pub use cache::{Cache, EncoderOutput, KeysValues};
pub use count::{Count, LARGEST_SIZE, check_size, product};
pub use ends::Ends;
pub use error::ShapeError;
pub use language::{AnyLanguage, DynLanguage, LanguageModel};
pub use normalise::{check_mean, check_std};
pub use shape::{BridgeShape, Cost, LanguageKind, LanguageShape, TextShape, VisionShape};
pub use slot::{Erased, Holder, Slot};
pub use text_tower::{ImagePass, Pair, TextTower, similarity};
pub use tokens::{LanguageSpecialTokens, Side, TextBatch, TextSpecialTokens, index, pad};
pub use toolkit_seed::Stream;
pub use vision::{AnyVision, DynVision, VisionEncoder};
