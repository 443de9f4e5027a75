//! Data sets: formats are registered, cards and folders are opened.

use crate::datasets::DatasetFamily;
use crate::families::{add, family_or};
use crate::spanned::closest;
use crate::{Card, DatasetHandle, Kind, Registry};
use std::sync::Arc;
use toolkit_data::{
    DataError, DataName, Dataset, DatasetFormat, Folder, Opening, ShardOptions, Shards,
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
        Ok(DatasetHandle { card, family, opening: self.opening() })
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

    /// Opens `card:split`, `folder:PATH` or `shards:GLOB`.
    ///
    /// # Errors
    /// If a card, format or split is unknown, or files are missing or damaged.
    pub fn open_data(&self, name: &str) -> Result<Arc<dyn Dataset>, DataError> {
        match DataName::parse(name) {
            DataName::Folder(path) => Ok(Arc::new(Folder::open_kept(path, &self.opening())?)),
            shards @ DataName::Shards(patterns) => {
                let (name, patterns) = (format!("shards:{}", shards.title()), patterns.to_owned());
                let options = ShardOptions::default();
                Ok(Arc::new(Shards::open(name, &[patterns], &options, &self.opening())?))
            }
            DataName::Split { card, split } => {
                let card = self.card(Kind::Dataset, card)?;
                self.dataset_of(&card)?.open(split)
            }
            DataName::Card(_) => {
                let what = format!("`{name}` names no split");
                Err(DataError::new(what, format!("write {}", DataName::FORMS)))
            }
        }
    }
}
