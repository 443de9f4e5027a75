//! Formats of data sets, and a card with its format.

use crate::Card;
use std::sync::Arc;
use toolkit_data::{
    Check, CheckOptions, DataError, Dataset, DatasetCard, DatasetFormat, OnPictures, OpenByName,
    Opening, Processed, UserFiles,
};
use toolkit_system::problem::Problem;

/// Opens a split of a card's data.
type Open = fn(&Bound<'_>, &str) -> Result<Arc<dyn Dataset>, DataError>;

/// Opens data by name.
pub(crate) type OpenOther<'a> =
    dyn Fn(&str, Option<&str>) -> Result<Arc<dyn Dataset>, DataError> + 'a;

/// A card with all that opening needs.
struct Bound<'a> {
    card: &'a Card,
    opening: &'a Opening,
    open: OpenByName<'a>,
}

/// Functions of a format, with its own types inside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DatasetFamily {
    check_config: fn(&Card) -> Result<(), DataError>,
    splits: fn(&Card) -> Result<Vec<String>, Problem>,
    made_of: fn(&Card, &str) -> Result<Vec<String>, Problem>,
    published_images: fn(&Card, &str) -> Result<Option<usize>, Problem>,
    user_files: fn(&Card) -> Result<Option<UserFiles>, Problem>,
    check_files: CheckFiles,
    open: Open,
}

/// Checks the files of a split of a card.
type CheckFiles =
    fn(&Bound<'_>, &str, CheckOptions, OnPictures<'_>) -> Result<Option<Check>, DataError>;

/// Calls `act` with the parts of a card that a format needs.
fn with_card<T>(bound: &Bound<'_>, act: impl FnOnce(&DatasetCard<'_>) -> T) -> T {
    let Bound { card, opening, open } = bound;
    let package = |name: &str| card.package(name).map_err(DataError::from);
    act(&DatasetCard { name: &card.name, package: &package, opening, open: *open })
}

impl DatasetFamily {
    /// Collects the functions of a format.
    pub(crate) fn of<F: DatasetFormat>() -> Self {
        Self {
            check_config: |card| F::check_config(&card.config()?),
            splits: |card| Ok(F::splits(&card.config()?)),
            made_of: |card, split| Ok(F::made_of(&card.config()?, split)),
            published_images: |card, split| Ok(F::published_images(&card.config()?, split)),
            user_files: |card| Ok(F::user_files(&card.config()?, &card.name)),
            check_files: |bound, split, options, progress| {
                let config = bound.card.config()?;
                let check = |context: &DatasetCard<'_>| {
                    F::check_files(&config, context, split, options, progress)
                };
                with_card(bound, check)
            },
            open: |bound, split| {
                let config = bound.card.config()?;
                with_card(bound, |context| F::from_card(&config, context, split))
            },
        }
    }
}

/// A data set that a card describes, before a split of it is opened.
pub struct DatasetHandle<'a> {
    pub(crate) card: &'a Card,
    pub(crate) family: &'a DatasetFamily,
    pub(crate) opening: Opening,
    /// Opens other data by name, for a card that is made of them.
    pub(crate) open_other: Box<OpenOther<'a>>,
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

    /// Returns the names of other data that a split is made of.
    ///
    /// # Errors
    /// If `[config]` is wrong.
    pub fn made_of(&self, split: &str) -> Result<Vec<String>, Problem> {
        (self.family.made_of)(self.card, split)
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
        (self.family.check_files)(&self.bound(&*self.open_other), split, options, progress)
    }

    /// Opens a split, with the text processor of the card.
    ///
    /// # Errors
    /// If there is no such split, a setting cannot be met, or files are missing or damaged.
    pub fn open(&self, split: &str) -> Result<Arc<dyn Dataset>, DataError> {
        self.open_with(split, &*self.open_other)
    }

    /// Opens a split, with the text processor of the card. `open` opens the data that it is made of.
    ///
    /// # Errors
    /// As [`DatasetHandle::open`].
    pub fn open_with(
        &self,
        split: &str,
        open: OpenByName<'_>,
    ) -> Result<Arc<dyn Dataset>, DataError> {
        let data = (self.family.open)(&self.bound(open), split)?;
        Ok(match &self.card.text_processor {
            Some(processor) => Arc::new(Processed::new(data, processor.clone())),
            None => data,
        })
    }

    fn bound<'b>(&'b self, open: OpenByName<'b>) -> Bound<'b> {
        Bound { card: self.card, opening: &self.opening, open }
    }
}
