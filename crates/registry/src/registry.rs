//! The registry: which families there are, where cards are, and how a card becomes a part.

use crate::datasets::Formats;
use crate::extensions::Extensions;
use crate::families::{BridgeFamily, LanguageFamily, VisionFamily};
use crate::spanned::suggest;
use crate::{Card, Kind, Origin};
use burn::tensor::Device;
use std::collections::BTreeMap;
use std::path::PathBuf;
use toolkit_core::{
    AnyBridge, AnyLanguage, AnyVision, Bridge, BridgeShape, LanguageModel, LanguageShape,
    VisionEncoder, VisionShape,
};
use toolkit_models::weights::WeightsError;
use toolkit_system::encoding::{Encoding, UTF16, encoding};
use toolkit_system::problem::Problem;

/// Values of the parameters of a part that is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weights {
    /// Those of the file that `[weights]` of the card names.
    Card,
    /// None yet: the caller initialises the parameters or loads a checkpoint.
    None,
}

/// Families by name, and the folders that cards are looked for in.
///
/// ```
/// use toolkit_registry::{Kind, Registry};
///
/// let registry = Registry::builtin();
/// let card = registry.card(Kind::Vision, "vit-nano")?;
/// let shape = registry.describe_vision(&card)?;
/// assert_eq!((shape.image, shape.tokens, shape.width), ([64, 64], 65, 96));
/// # Ok::<(), toolkit_system::problem::Problem>(())
/// ```
///
/// A plug-in adds its families by `.vision::<MyVit>("my-vit")` and a folder of cards by
/// [`Registry::overlay`].
#[derive(Clone, Debug, Default)]
pub struct Registry {
    vision: BTreeMap<String, VisionFamily>,
    bridge: BTreeMap<String, BridgeFamily>,
    language: BTreeMap<String, LanguageFamily>,
    formats: Formats,
    extensions: Extensions,
    /// Later ones win.
    origins: Vec<Origin>,
}

impl Registry {
    /// No families and no cards.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// The families of the toolkit and the cards of its embedded `registry/`. No folder on disk is
    /// looked at unless
    /// [`Registry::overlay`] names it: what a command does must not depend on where it is started.
    #[must_use]
    pub fn builtin() -> Self {
        crate::builtin::register(Self { origins: vec![Origin::Embedded], ..Self::default() })
    }

    /// Adds a family of vision encoders.
    ///
    /// # Panics
    /// If the name is taken.
    #[must_use]
    pub fn vision<E: VisionEncoder>(mut self, name: &str) -> Self {
        add(&mut self.vision, Kind::Vision, name, VisionFamily::of::<E>());
        self
    }

    /// Adds a family of bridges.
    ///
    /// # Panics
    /// If the name is taken.
    #[must_use]
    pub fn bridge<B: Bridge>(mut self, name: &str) -> Self {
        add(&mut self.bridge, Kind::Bridge, name, BridgeFamily::of::<B>());
        self
    }

    /// Adds a family of language models.
    ///
    /// # Panics
    /// If the name is taken.
    #[must_use]
    pub fn language<L: LanguageModel>(mut self, name: &str) -> Self {
        add(&mut self.language, Kind::Language, name, LanguageFamily::of::<L>());
        self
    }

    pub(crate) fn formats(&self) -> &Formats {
        &self.formats
    }

    pub(crate) fn formats_mut(&mut self) -> &mut Formats {
        &mut self.formats
    }

    /// Adds a family of a kind that a crate above this one defines, such as a loss or a task.
    ///
    /// The type `F` names the kind. Crates wrap this in a trait of their own, so that a user writes
    /// `.loss::<MyLoss>("my-loss")`.
    ///
    /// # Panics
    /// If the name is taken.
    #[must_use]
    pub fn extend<F: Send + Sync + 'static>(mut self, name: &str, family: F) -> Self {
        self.extensions.add(name, family);
        self
    }

    /// Returns the families of kind `F` that were added by [`Registry::extend`], sorted by name.
    #[must_use]
    pub fn extensions<F: Send + Sync + 'static>(&self) -> Vec<(&str, &F)> {
        self.extensions.of::<F>()
    }

    /// Adds a folder whose cards win over those of the same name added before.
    ///
    /// # Errors
    /// If it is not a folder: a mistyped path would otherwise silently give the embedded cards.
    pub fn overlay(mut self, folder: PathBuf) -> Result<Self, Problem> {
        if !folder.is_dir() {
            let hint = format!(
                "give a folder with {}",
                Kind::ALL.map(|kind| format!("{}/", kind.folder())).join(", ")
            );
            return Err(Problem::new("the registry folder is not there")
                .at(folder.display())
                .hint(hint));
        }
        self.origins.push(Origin::Folder(folder));
        Ok(self)
    }

    /// Names of all cards of a kind, sorted.
    #[must_use]
    pub fn names(&self, kind: Kind) -> Vec<String> {
        let mut names: Vec<String> =
            self.origins.iter().flat_map(|origin| origin.names(kind.folder())).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Names of the families of a kind, sorted; data sets, tasks and models have none here.
    #[must_use]
    pub fn families(&self, kind: Kind) -> Vec<String> {
        match kind {
            Kind::Vision => self.vision.keys().cloned().collect(),
            Kind::Bridge => self.bridge.keys().cloned().collect(),
            Kind::Language => self.language.keys().cloned().collect(),
            Kind::Dataset => self.formats.keys().cloned().collect(),
            Kind::Task | Kind::Model | Kind::Metric => Vec::new(),
        }
    }

    /// The card of that name; the folder added last wins.
    ///
    /// # Errors
    /// If there is none, with the nearest name, or if it is not right.
    pub fn card(&self, kind: Kind, name: &str) -> Result<Card, Problem> {
        // Only listed names are opened, so that a name is never a path.
        let origin = self
            .origins
            .iter()
            .rev()
            .find(|origin| origin.names(kind.folder()).iter().any(|known| known == name));
        let Some(origin) = origin else {
            let known = self.names(kind);
            let hint = match known.len() {
                0 => format!("there are no cards in `{}/`; add a folder of cards", kind.folder()),
                _ => suggest(name, &known.iter().map(String::as_str).collect::<Vec<_>>()),
            };
            return Err(
                Problem::new(format_args!("there is no {} `{name}`", kind.noun())).hint(hint)
            );
        };
        let file = format!("{}/{name}.toml", kind.folder());
        let unreadable =
            |error: String| Problem::new(error).at(origin.show(&file)).hint("check the file");
        let bytes = origin
            .read(&file)
            .map_err(|error| unreadable(format!("cannot read the card: {error}")))?;
        if encoding(&bytes) == Encoding::Utf16 {
            return Err(Problem::new(UTF16.0).at(origin.show(&file)).hint(UTF16.1));
        }
        let text = str::from_utf8(&bytes)
            .map_err(|error| unreadable(format!("the card is not UTF-8: {error}")))?;
        Card::parse(kind, name, origin.clone(), text)
    }

    /// Sizes and costs of a vision encoder, without making a tensor.
    ///
    /// # Errors
    /// If the family is unknown or `[config]` is wrong.
    pub fn describe_vision(&self, card: &Card) -> Result<VisionShape, Problem> {
        (family(&self.vision, Kind::Vision, card)?.describe)(card)
    }

    /// Sizes and costs of a bridge for an encoder.
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

    /// Sizes and costs of a language model.
    ///
    /// # Errors
    /// If the family is unknown or `[config]` is wrong.
    pub fn describe_language(&self, card: &Card) -> Result<LanguageShape, Problem> {
        (family(&self.language, Kind::Language, card)?.describe)(card)
    }

    /// A vision encoder.
    ///
    /// # Errors
    /// As [`Registry::describe_vision`], and if the weights are missing, changed or do not fit.
    pub fn build_vision(
        &self,
        card: &Card,
        device: &Device,
        weights: Weights,
    ) -> Result<AnyVision, WeightsError> {
        let family = family(&self.vision, Kind::Vision, card)?;
        let part = (family.build)(card, device)?;
        match weights {
            Weights::Card => card.load_into(part, family.published),
            Weights::None => Ok(part),
        }
    }

    /// A bridge for an encoder.
    ///
    /// # Errors
    /// As [`Registry::describe_bridge`], and if the weights are missing, changed or do not fit.
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
            Weights::Card => card.load_into(part, family.published),
            Weights::None => Ok(part),
        }
    }

    /// A language model.
    ///
    /// # Errors
    /// As [`Registry::describe_language`], and if the weights are missing, changed or do not fit.
    pub fn build_language(
        &self,
        card: &Card,
        device: &Device,
        weights: Weights,
    ) -> Result<AnyLanguage, WeightsError> {
        let family = family(&self.language, Kind::Language, card)?;
        let part = (family.build)(card, device)?;
        match weights {
            Weights::Card => card.load_into(part, family.published),
            Weights::None => Ok(part),
        }
    }
}

pub(crate) fn add<F>(families: &mut BTreeMap<String, F>, kind: Kind, name: &str, family: F) {
    let before = families.insert(name.to_owned(), family);
    assert!(
        before.is_none(),
        "the {} family `{name}` is registered twice: give one of them another name",
        kind.noun()
    );
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

/// Finds the family of a card, which must be of `kind`.
pub(crate) fn family_or<'a, F>(
    families: &'a BTreeMap<String, F>,
    kind: Kind,
    card: &Card,
    unknown: impl FnOnce() -> Problem,
) -> Result<&'a F, Problem> {
    if card.kind != kind {
        let what = format!("`{}` is a {}, not a {}", card.name, card.kind.noun(), kind.noun());
        let hint = format!("choose a card of `{}/`", kind.folder());
        return Err(Problem::new(what).at(card.text().name()).hint(hint));
    }
    families.get(&card.family).ok_or_else(unknown)
}
