//! Parts: an encoder, a bridge or a language model from its card.

use crate::families::family_or;
use crate::spanned::suggest;
use crate::{Card, Kind, Registry};
use burn::tensor::Device;
use std::collections::BTreeMap;
use toolkit_core::params::Kept;
use toolkit_core::published::PublishedNames;
use toolkit_core::{AnyBridge, AnyLanguage, AnyVision, BridgeShape, LanguageShape, VisionShape};
use toolkit_models::weights::WeightsError;
use toolkit_system::problem::Problem;

/// Values of the parameters of a part that is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weights {
    /// Values of the file that `[weights]` of the card names, in f32.
    Card,
    /// The same, with the matrices in another form, for a part that is not trained.
    CardKept(Kept),
    /// No values yet: the caller initialises the parameters or loads a checkpoint.
    None,
}

impl Registry {
    /// Returns sizes and costs of a vision encoder. Makes no tensor.
    ///
    /// # Errors
    /// If the family is unknown or `[config]` is wrong.
    pub fn describe_vision(&self, card: &Card) -> Result<VisionShape, Problem> {
        (family(&self.vision, Kind::Vision, card)?.describe)(card)
    }

    /// Returns sizes and costs of a bridge for an encoder.
    ///
    /// # Errors
    /// If the family is unknown or `[config]` is wrong.
    pub fn describe_bridge(
        &self,
        card: &Card,
        vision: &VisionShape,
    ) -> Result<BridgeShape, Problem> {
        (family(&self.bridge, Kind::Bridge, card)?.describe)(card, vision)
    }

    /// Returns sizes and costs of a language model.
    ///
    /// # Errors
    /// If the family is unknown or `[config]` is wrong.
    pub fn describe_language(&self, card: &Card) -> Result<LanguageShape, Problem> {
        (family(&self.language, Kind::Language, card)?.describe)(card)
    }

    /// Returns the names that bridges of the card's family are published with.
    ///
    /// # Errors
    /// If the family is unknown.
    pub fn bridge_names(&self, card: &Card) -> Result<PublishedNames, Problem> {
        Ok(family(&self.bridge, Kind::Bridge, card)?.published)
    }

    /// Returns the names that language models of the card's family are published with.
    ///
    /// # Errors
    /// If the family is unknown.
    pub fn language_names(&self, card: &Card) -> Result<PublishedNames, Problem> {
        Ok(family(&self.language, Kind::Language, card)?.published)
    }

    /// Builds a vision encoder.
    ///
    /// # Errors
    /// Those of [`Registry::describe_vision`]; if the weights are missing, changed or do not fit.
    pub fn build_vision(
        &self,
        card: &Card,
        device: &Device,
        weights: Weights,
    ) -> Result<AnyVision, WeightsError> {
        let family = family(&self.vision, Kind::Vision, card)?;
        let part = (family.build)(card, device)?;
        match weights {
            Weights::Card => card.load_into(part, family.published, Kept::F32),
            Weights::CardKept(kept) => card.load_into(part, family.published, kept),
            Weights::None => Ok(part),
        }
    }

    /// Builds a bridge for an encoder.
    ///
    /// # Errors
    /// Those of [`Registry::describe_bridge`]; if the weights are missing, changed or do not fit.
    pub fn build_bridge(
        &self,
        card: &Card,
        vision: &VisionShape,
        device: &Device,
        weights: Weights,
    ) -> Result<AnyBridge, WeightsError> {
        let family = family(&self.bridge, Kind::Bridge, card)?;
        let part = (family.build)(card, vision, device)?;
        match weights {
            Weights::Card => card.load_into(part, family.published, Kept::F32),
            Weights::CardKept(kept) => card.load_into(part, family.published, kept),
            Weights::None => Ok(part),
        }
    }

    /// Builds a language model.
    ///
    /// # Errors
    /// Those of [`Registry::describe_language`]; if the weights are missing, changed or do not fit.
    pub fn build_language(
        &self,
        card: &Card,
        device: &Device,
        weights: Weights,
    ) -> Result<AnyLanguage, WeightsError> {
        let family = family(&self.language, Kind::Language, card)?;
        let part = (family.build)(card, device)?;
        match weights {
            Weights::Card => card.load_into(part, family.published, Kept::F32),
            Weights::CardKept(kept) => card.load_into(part, family.published, kept),
            Weights::None => Ok(part),
        }
    }
}

/// Finds the family of a part's card.
fn family<'a, F>(
    families: &'a BTreeMap<String, F>,
    kind: Kind,
    card: &Card,
) -> Result<&'a F, Problem> {
    family_or(families, kind, card, || {
        let known: Vec<&str> = families.keys().map(String::as_str).collect();
        let what = format!("there is no {} family `{}`", kind.noun(), card.family);
        card.text().error_at("family", what, suggest(&card.family, &known))
    })
}
