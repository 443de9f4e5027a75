//! The registry: families by name, and the folders of cards.

use crate::datasets::DatasetFamily;
use crate::extensions::Extensions;
use crate::families::{BridgeFamily, LanguageFamily, VisionFamily, add};
use crate::spanned::suggest;
use crate::{Card, Kind, Origin};
use std::collections::BTreeMap;
use std::path::PathBuf;
use toolkit_core::{Bridge, LanguageModel, VisionEncoder};
use toolkit_data::Opening;
use toolkit_system::encoding::{Encoding, UTF16, encoding};
use toolkit_system::problem::Problem;

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
    pub(crate) vision: BTreeMap<String, VisionFamily>,
    pub(crate) bridge: BTreeMap<String, BridgeFamily>,
    pub(crate) language: BTreeMap<String, LanguageFamily>,
    pub(crate) formats: BTreeMap<String, DatasetFamily>,
    extensions: Extensions,
    /// Folders of cards; a later one overrides an earlier one.
    origins: Vec<Origin>,
    /// Place for indexes of data, and receiver of progress; otherwise the standard ones.
    pub(crate) opening: Option<Opening>,
}

impl Registry {
    /// Creates a registry without families and cards.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
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

    /// Adds a folder whose cards override cards of the same name that were added before.
    ///
    /// # Errors
    /// If it is not a folder: a mistyped path would otherwise silently give the embedded cards.
    pub fn overlay(self, folder: PathBuf) -> Result<Self, Problem> {
        if !folder.is_dir() {
            let hint = format!(
                "give a folder with {}",
                Kind::ALL.map(|kind| format!("{}/", kind.folder())).join(", ")
            );
            return Err(Problem::new("the registry folder is not there")
                .at(folder.display())
                .hint(hint));
        }
        Ok(self.with_origin(Origin::Folder(folder)))
    }

    /// Adds a folder, on disk or embedded.
    pub(crate) fn with_origin(mut self, origin: Origin) -> Self {
        self.origins.push(origin);
        self
    }

    /// Lists the names of all cards of a kind, sorted.
    #[must_use]
    pub fn names(&self, kind: Kind) -> Vec<String> {
        let mut names: Vec<String> =
            self.origins.iter().flat_map(|origin| origin.names(kind.folder())).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Lists the names of the families of a kind, sorted. Tasks, models and metrics have none here.
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

    /// Reads the card of a name. The folder that was added last overrides the others.
    ///
    /// # Errors
    /// If there is none (the hint names the nearest), or if it is wrong.
    pub fn card(&self, kind: Kind, name: &str) -> Result<Card, Problem> {
        // Only listed names are opened, so that a name is never a path.
        let origin = self
            .origins
            .iter()
            .rev()
            .find(|origin| origin.names(kind.folder()).iter().any(|known| known == name))
            .ok_or_else(|| self.no_card(kind, name))?;
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

    /// Creates the error of a name that no card has.
    fn no_card(&self, kind: Kind, name: &str) -> Problem {
        let known = self.names(kind);
        let hint = match known.len() {
            0 => format!("there are no cards in `{}/`; add a folder of cards", kind.folder()),
            _ => suggest(name, &known.iter().map(String::as_str).collect::<Vec<_>>()),
        };
        Problem::new(format_args!("there is no {} `{name}`", kind.noun())).hint(hint)
    }
}
