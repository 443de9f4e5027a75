//! Data sets: formats are registered, cards and folders are opened.

use crate::datasets::DatasetFamily;
use crate::families::{add, family_or};
use crate::opener::{Instead, Opener};
use crate::spanned::closest;
use crate::{Card, DatasetHandle, Kind, Registry};
use std::collections::BTreeSet;
use std::sync::Arc;
use toolkit_data::{
    DataError, DataName, Dataset, DatasetFormat, Mixture, MixtureSource, MixtureSplit, Opening,
};
use toolkit_store::Store;
use toolkit_system::problem::Problem;

impl Registry {
    /// Adds a format of data sets: cards name it by `kind`.
    ///
    /// # Panics
    /// If the name is taken.
    #[must_use]
    pub fn dataset<F: DatasetFormat>(mut self, name: &str) -> Self {
        add(&mut self.formats, Kind::Dataset, name, DatasetFamily::of::<F>());
        self
    }

    /// Returns the data set that a card describes.
    ///
    /// # Errors
    /// If the format of the card is not registered.
    pub fn dataset_of<'a>(&'a self, card: &'a Card) -> Result<DatasetHandle<'a>, Problem> {
        let unknown = || {
            let known: Vec<&str> = self.formats.keys().map(String::as_str).collect();
            let listed: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
            let near = closest(&card.family, &known).map(|name| format!("did you mean `{name}`? "));
            card.text().error_at(
                "kind",
                format!("unknown kind of data set `{}`", card.family),
                format!(
                    "{}known: {}; files of your own are `folder:PATH` or `shards:GLOB`",
                    near.unwrap_or_default(),
                    listed.join(", ")
                ),
            )
        };
        let family = family_or(&self.formats, Kind::Dataset, card, unknown)?;
        let open_other = Box::new(|name: &str, caption: Option<&str>| {
            Opener::new(self, &|_, error| Err(error)).open(name, caption)
        });
        Ok(DatasetHandle { card, family, opening: self.opening(), open_other })
    }

    /// Sets where indexes of data are kept and who is told of their building. Otherwise they are
    /// kept in the folder of fetched files, and nobody is told.
    #[must_use]
    pub fn opening_data(mut self, opening: Opening) -> Self {
        self.opening = Some(opening);
        self
    }

    /// Returns where indexes of data are kept and who is told of their building.
    #[must_use]
    pub fn opening(&self) -> Opening {
        let standard = || Opening::new(Store::standard().root().join("indexes"));
        self.opening.clone().unwrap_or_else(standard)
    }

    /// Returns the card of a name of data, and those of the data that it is made of. Files have no
    /// card.
    ///
    /// # Errors
    /// If there is no such card, or it is wrong.
    pub fn data_cards(&self, name: &str) -> Result<Vec<Card>, Problem> {
        let (mut cards, mut open) = (Vec::new(), vec![name.to_owned()]);
        let mut seen = BTreeSet::new();
        while let Some(name) = open.pop() {
            let parsed = DataName::parse(&name);
            let Some(card) = parsed.card().filter(|_| seen.insert(name.clone())) else { continue };
            let card = self.card(Kind::Dataset, card)?;
            open.extend(self.made_of(&card, parsed)?);
            cards.push(card);
        }
        Ok(cards)
    }

    /// Returns the names of the data that a split of a card is made of, or all its splits.
    fn made_of(&self, card: &Card, name: DataName<'_>) -> Result<Vec<String>, Problem> {
        let handle = self.dataset_of(card)?;
        let splits = match name {
            DataName::Split { split, .. } => vec![split.to_owned()],
            _ => handle.splits()?,
        };
        let names = splits.iter().map(|split| handle.made_of(split));
        Ok(names.collect::<Result<Vec<_>, _>>()?.concat())
    }

    /// Opens `card:split`, `folder:PATH` or `shards:GLOB`.
    ///
    /// # Errors
    /// If a card, format or split is unknown, or files are missing or damaged.
    pub fn open_data(&self, name: &str) -> Result<Arc<dyn Dataset>, DataError> {
        self.open_data_or(name, &|_, error| Err(error))
    }

    /// Opens data as [`Registry::open_data`]. Where that fails, for a source of a mixture too, the
    /// data are those that `instead` returns.
    ///
    /// # Errors
    /// If `instead` returns an error.
    pub fn open_data_or(
        &self,
        name: &str,
        instead: Instead<'_>,
    ) -> Result<Arc<dyn Dataset>, DataError> {
        Opener::new(self, instead).open(name, None)
    }

    /// Opens a mixture that is not on a card. `instead` is that of [`Registry::open_data_or`].
    ///
    /// # Errors
    /// If a setting cannot be met, or a source cannot be opened.
    pub fn open_mixture(
        &self,
        name: &str,
        mixture: &MixtureSplit,
        instead: Instead<'_>,
    ) -> Result<Arc<dyn Dataset>, DataError> {
        let opener = Opener::new(self, instead);
        let open = |source: &MixtureSource| opener.open(&source.data, source.caption.as_deref());
        Ok(Arc::new(Mixture::open(name, mixture, &open)?))
    }
}
