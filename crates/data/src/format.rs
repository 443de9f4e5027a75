//! The contract of a data-set format: from a card to a data set.
//!
//! A format is a type such as [`crate::Scenes`]. A card names it by `kind`, and its `[config]` is
//! the format's `Config`. Most open an [`crate::Items`] with pictures of their own. The registry knows formats by name: an outside crate adds one with
//! `Registry::dataset::<MyFormat>("my-format")`.

use crate::{Check, CheckOptions, DataError, Dataset, Opening};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// A callback that opens data by name, with the field or column of captions if one is wanted.
pub type OpenByName<'a> = &'a dyn Fn(&str, Option<&str>) -> Result<Arc<dyn Dataset>, DataError>;

/// The parts of a card, besides its `[config]`, that a format needs.
pub struct DatasetCard<'a> {
    /// Name of the card.
    pub name: &'a str,
    /// Returns the folder of a package that the card names, unpacked.
    pub package: &'a dyn Fn(&str) -> Result<PathBuf, DataError>,
    /// Place for indexes, and receiver of progress.
    pub opening: &'a Opening,
    /// Opens other data, for a format that is made of them.
    pub open: OpenByName<'a>,
}

impl DatasetCard<'_> {
    /// Returns the folders of packages by name.
    ///
    /// # Errors
    /// If the card does not name one of them, or it was not fetched.
    pub fn packages<'n>(
        &self,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Result<BTreeMap<String, PathBuf>, DataError> {
        names.into_iter().map(|name| Ok((name.to_owned(), (self.package)(name)?))).collect()
    }
}

/// The place of files that users get from a publisher themselves.
pub struct UserFiles {
    /// Address of the publisher.
    pub home: String,
    /// Folder of the files on this machine, which need not be there.
    pub root: Result<PathBuf, DataError>,
}

/// A callback with the number of pictures done and to do.
pub type OnPictures<'a> = &'a dyn Fn(u64, u64);

/// A format of data sets.
pub trait DatasetFormat: 'static {
    /// `[config]` of the card.
    type Config: DeserializeOwned;

    /// Opens a split.
    ///
    /// # Errors
    /// If there is no such split, a setting cannot be met, or files are missing or damaged.
    fn from_card(
        config: &Self::Config,
        card: &DatasetCard<'_>,
        split: &str,
    ) -> Result<Arc<dyn Dataset>, DataError>;

    /// Checks the configuration without reading data.
    ///
    /// # Errors
    /// At the first setting that cannot be met.
    fn check_config(_config: &Self::Config) -> Result<(), DataError> {
        Ok(())
    }

    /// Returns the names of the splits.
    fn splits(_config: &Self::Config) -> Vec<String> {
        ["train", "val", "test"].map(str::to_owned).to_vec()
    }

    /// Returns the names of other data that a split is made of.
    fn made_of(_config: &Self::Config, _split: &str) -> Vec<String> {
        Vec::new()
    }

    /// Returns the number of pictures of a split as far as the card publishes it. A plan counts
    /// with it while the data are not on this machine.
    fn published_images(_config: &Self::Config, _split: &str) -> Option<usize> {
        None
    }

    /// Returns the place of the files if users get them themselves; `None` if packages have them or
    /// none are needed. `card` is the name of the card.
    fn user_files(_config: &Self::Config, _card: &str) -> Option<UserFiles> {
        None
    }

    /// Counts all faults of the files of a split. Called only if [`DatasetFormat::user_files`] has
    /// a place; `None` if the format has no check of its own.
    ///
    /// # Errors
    /// If there is no such split, or an annotation file that is there cannot be read.
    fn check_files(
        _config: &Self::Config,
        _card: &DatasetCard<'_>,
        _split: &str,
        _options: CheckOptions,
        _progress: OnPictures<'_>,
    ) -> Result<Option<Check>, DataError> {
        Ok(None)
    }
}
