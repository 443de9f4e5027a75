//! Cards to live parts: what `registry/` says about encoders, bridges, language models, data sets
//! and tasks.
//!
//! A card is a TOML file that names a family and its configuration; a [`Registry`] knows the
//! families and finds the cards. Registration is explicit and typed:
//! `Registry::builtin().vision::<MyVit>("my-vit")`.
//!
//! Every error is a `toolkit_system::problem::Problem` or a `toolkit_models::weights::WeightsError`:
//! one line that says what is wrong, where, and what to try.

mod builtin;
mod card;
mod datasets;
mod extensions;
mod families;
mod found;
mod origin;
mod registry;
mod sections;
pub mod spanned;
mod tokenizer;
mod weights;

pub use card::{Card, Kind};
pub use datasets::DatasetHandle;
pub use found::{Remote, sources};
pub use origin::{Origin, embedded_files};
pub use registry::{Registry, Weights};
pub use sections::{
    Facts, Licence, Parts, Preprocess, Provenance, TokenizerSection, WeightsSection,
};
pub use spanned::Source;

#[cfg(test)]
mod tests;
