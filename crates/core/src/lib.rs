//! The contract of the toolkit: what a vision encoder, a bridge and a language model are.
//!
//! A plug-in crate depends on this crate alone. Authors write the static traits [`VisionEncoder`],
//! [`Bridge`] and
//! [`LanguageModel`]; everyone else holds the erased [`AnyVision`], [`AnyBridge`] and
//! [`AnyLanguage`], which are still burn modules: parameter paths, freezing, optimiser groups and
//! checkpoints reach inside.
//!
//! Shapes are written `[batch, tokens, width]`. Masks are float tensors with 1 for visible and 0
//! for hidden.

mod bridge;
mod cache;
pub mod conform;
mod count;
mod ends;
mod language;
pub mod noise;
mod normalise;
pub mod params;
pub mod published;
pub mod recompute;
mod shape;
mod slot;
mod tokens;
mod vision;

pub use bridge::{
    AnyBridge, Bridge, DynBridge, ImagePass, KeysValues, Pair, TextTower, similarity,
};
pub use cache::{Cache, EncoderOutput};
pub use count::{Count, LARGEST_SIZE, check_size, product};
pub use ends::Ends;
pub use language::{AnyLanguage, DynLanguage, LanguageKind, LanguageModel};
pub use normalise::{check_mean, check_std};
pub use shape::{BridgeShape, Cost, LanguageShape, ShapeError, TextShape, VisionShape};
pub use slot::{Erased, Holder, Slot};
pub use tokens::{LanguageSpecialTokens, Side, TextBatch, TextSpecialTokens, index, pad};
pub use toolkit_seed::Stream;
pub use vision::{AnyVision, DynVision, VisionEncoder};
