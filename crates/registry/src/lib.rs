//! Cards and families: `registry/` describes encoders, bridges, language models, data sets and
//! tasks; this crate reads the cards and builds the parts.
//!
//! A card is a TOML file that names a family and its configuration. A [`Registry`] knows the
//! families and finds the cards. Registration is explicit and typed:
//! `Registry::builtin().vision::<MyVit>("my-vit")`.
//!
//! | module | purpose |
//! |---|---|
//! | [`Registry`], `parts` | families by name, folders of cards, parts from cards |
//! | [`Card`], `sections` | one card, its keys checked |
//! | [`spanned`] | TOML with positions, so that an error names line and column |
//! | `builtin` | the families of the toolkit, one line each |
//! | `found` | the files that a card names: embedded, on disk, fetched |
//! | `weights`, `tokenizer` | the weights and the tokenizer that a card names |
//! | `families`, `datasets` | functions of a family and of a format of data sets |
//! | `data` | data sets from cards |
//! | `extensions` | families of kinds that crates above define |
//!
//! An error is a `toolkit_system::problem::Problem`, or of weights a
//! `toolkit_models::weights::WeightsError`.
//!
//! ```
//! use toolkit_registry::{Kind, Registry};
//!
//! let wrong = Registry::builtin().card(Kind::Vision, "vit-nona").unwrap_err();
//! assert_eq!(wrong.hint, "did you mean `vit-nano`?");
//! ```

mod builtin;
mod card;
mod data;
mod datasets;
mod extensions;
mod families;
mod found;
mod opener;
mod origin;
mod parts;
mod registry;
mod sections;
pub mod spanned;
mod tokenizer;
mod weights;

pub use card::{Card, Kind};
pub use datasets::DatasetHandle;
pub use found::{Remote, sources};
pub use opener::Instead;
pub use origin::{Origin, embedded_files};
pub use parts::Weights;
pub use registry::Registry;
pub use sections::{
    Facts, Licence, Parts, Preprocess, Provenance, TokenizerSection, WeightsSection,
};
pub use spanned::Source;

#[cfg(test)]
mod tests;
