//! Formats of data sets, and a card with its format.

use crate::Card;
use std::sync::Arc;
use toolkit_data::{
    Check, CheckOptions, DataError, Dataset, DatasetCard, DatasetFormat, OnPictures, Opening,
    Processed, UserFiles,
};
use toolkit_system::problem::Problem;

/// Opens a split of a card's data.
type Open = fn(&Card, &str, &Opening) -> Result<Arc<dyn Dataset>, DataError>;

/// Functions of a format, with its own types inside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DatasetFamily {
    check_config: fn(&Card) -> Result<(), DataError>,
    splits: fn(&Card) -> Result<Vec<String>, Problem>,
    published_images: fn(&Card, &str) -> Result<Option<usize>, Problem>,
    user_files: fn(&Card) -> Result<Option<UserFiles>, Problem>,
    check_files: CheckFiles,
    open: Open,
}

/// Checks the files of a split of a card.
type CheckFiles = fn(&Checked<'_>) -> Result<Option<Check>, DataError>;

/// A split to check, and how.
struct Checked<'a> {
    card: &'a Card,
    opening: &'a Opening,
    split: &'a str,
    options: CheckOptions,
    progress: OnPictures<'a>,
}

/// Calls `act` with the parts of a card that a format needs.
fn with_card<T>(card: &Card, opening: &Opening, act: impl FnOnce(&DatasetCard<'_>) -> T) -> T {
    let package = |name: &str| card.package(name).map_err(DataError::from);
    act(&DatasetCard { name: &card.name, package: &package, opening })
}

impl DatasetFamily {
    /// Collects the functions of a format.
    pub(crate) fn of<F: DatasetFormat>() -> Self {
        Self {
            check_config: |card| F::check_config(&card.config()?),
            splits: |card| Ok(F::splits(&card.config()?)),
            published_images: |card, split| Ok(F::published_images(&card.config()?, split)),
            user_files: |card| Ok(F::user_files(&card.config()?, &card.name)),
            check_files: |Checked { card, opening, split, options, progress }| {
                let config = card.config()?;
                let check = |context: &DatasetCard<'_>| {
                    F::check_files(&config, context, split, *options, progress)
                };
                with_card(card, opening, check)
            },
            open: |card, split, opening| {
                let config = card.config()?;
                with_card(card, opening, |context| F::from_card(&config, context, split))
            },
        }
    }
}

/// A data set that a card describes, before a split of it is opened.
pub struct DatasetHandle<'a> {
    pub(crate) card: &'a Card,
    pub(crate) family: &'a DatasetFamily,
    pub(crate) opening: Opening,
}

impl DatasetHandle<'_> {
    /// Checks the configuration without reading data.
    ///
    /// # Errors
    /// At the first setting that cannot be met.
    pub fn check_config(&self) -> Result<(), DataError> {
        (self.family.check_config)(self.card)
    }

    /// Returns the names of the splits.
    ///
    /// # Errors
    /// If `[config]` is wrong.
    pub fn splits(&self) -> Result<Vec<String>, Problem> {
        (self.family.splits)(self.card)
    }

    /// Returns the number of pictures of a split as far as the card publishes it.
    ///
    /// # Errors
    /// If `[config]` is wrong.
    pub fn published_images(&self, split: &str) -> Result<Option<usize>, Problem> {
        (self.family.published_images)(self.card, split)
    }

    /// Returns the place of files that users get from a publisher themselves.
    ///
    /// # Errors
    /// If `[config]` is wrong.
    pub fn user_files(&self) -> Result<Option<UserFiles>, Problem> {
        (self.family.user_files)(self.card)
    }

    /// Counts all faults of the files of a split; `None` if the format has no check of its own.
    ///
    /// # Errors
    /// If there is no such split, or an annotation file that is there cannot be read.
    pub fn check_files(
        &self,
        split: &str,
        options: CheckOptions,
        progress: OnPictures<'_>,
    ) -> Result<Option<Check>, DataError> {
        let (card, opening) = (self.card, &self.opening);
        (self.family.check_files)(&Checked { card, opening, split, options, progress })
    }

    /// Opens a split, with the text processor of the card.
    ///
    /// # Errors
    /// If there is no such split, a setting cannot be met, or files are missing or damaged.
    pub fn open(&self, split: &str) -> Result<Arc<dyn Dataset>, DataError> {
        let data = (self.family.open)(self.card, split, &self.opening)?;
        Ok(match &self.card.text_processor {
            Some(processor) => Arc::new(Processed::new(data, processor.clone())),
            None => data,
        })
    }
}
