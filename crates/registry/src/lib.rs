//! Cards to live parts: what `registry/` says about encoders, bridges, language models, data sets
//! and tasks.
//!
//! A card is a TOML file that names a family and its configuration; a [`Registry`] knows the
//! families and finds the cards. Registration is explicit and typed:
//! `Registry::builtin().vision::<MyVit>("my-vit")`.
//!
//! Every error is a [`CardError`] or a [`LoadError`]: one line that says what is wrong, where, and
//! what to try.

mod builtin;
mod card;
mod error;
mod extensions;
mod families;
mod found;
mod levels;
pub mod names;
mod origin;
pub mod reader;
mod registry;
mod sections;
pub mod spanned;
mod tokenizer;
mod weights;
mod write;

pub use card::{Card, Kind};
pub use error::{CardError, LoadError};
pub use found::{Remote, sources};
pub use origin::{Origin, embedded_files};
pub use registry::{Registry, Weights};
pub use sections::{
    Facts, Licence, Parts, Preprocess, Provenance, TokenizerSection, WeightsSection,
};
pub use spanned::Source;
pub use tokenizer::{TextTokenizer, TokenTable};
pub use weights::{StoredDtype, import, read_safetensors, sha256_hex};
pub use write::write_safetensors;

#[cfg(test)]
mod tests;
