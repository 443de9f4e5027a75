//! Names of data, as experiments and commands write them.

use std::path::Path;

/// The name of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataName<'a> {
    /// `folder:PATH`: pictures of a folder.
    Folder(&'a Path),
    /// `card:split`: one split of a card.
    Split {
        /// Name of the card.
        card: &'a str,
        /// Name of the split.
        split: &'a str,
    },
    /// `card`: a card without a split.
    Card(&'a str),
}

impl<'a> DataName<'a> {
    /// Tells the three forms apart.
    ///
    /// ```
    /// use toolkit_data::DataName;
    ///
    /// let name = DataName::parse("scenes:train");
    /// assert_eq!(name, DataName::Split { card: "scenes", split: "train" });
    /// assert_eq!(DataName::parse("folder:my/photos"), DataName::Folder("my/photos".as_ref()));
    /// ```
    #[must_use]
    pub fn parse(name: &'a str) -> Self {
        match name.split_once(':') {
            Some(("folder", path)) => Self::Folder(Path::new(path)),
            Some((card, split)) => Self::Split { card, split },
            None => Self::Card(name),
        }
    }

    /// Returns the name of the card; `None` for a folder.
    #[must_use]
    pub fn card(self) -> Option<&'a str> {
        match self {
            Self::Folder(_) => None,
            Self::Split { card, .. } | Self::Card(card) => Some(card),
        }
    }
}
