//! The settings of the `small` data set, and the sources of its pictures.

use super::pair::Pair;
use super::{NAME, gcompris, google_emoji, openclipart, pysiogame, stamps, twemoji};
use crate::DataError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A source of pictures: its name in a configuration, and the `group` of its items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SmallSource {
    /// Tux Paint stamps: photos cut out and drawings, captioned with short sentences.
    Stamps,
    /// GCompris: photographs with a title and often a sentence.
    Gcompris,
    /// Drawings of pySioGame (art4apps), named by a word and sorted into folders.
    Pysiogame,
    /// Google's emoji pictures with English CLDR labels.
    GoogleEmoji,
    /// Twemoji pictures with the same labels; they are compiled in and need no package.
    Twemoji,
    /// Open Clip Art: drawings with noisy titles, only used if asked for.
    Openclipart,
}

impl SmallSource {
    /// Every source.
    pub const ALL: [Self; 6] = [
        Self::Stamps,
        Self::Gcompris,
        Self::Pysiogame,
        Self::GoogleEmoji,
        Self::Twemoji,
        Self::Openclipart,
    ];
    /// Those of a default configuration.
    pub const DEFAULT: [Self; 5] =
        [Self::Stamps, Self::Gcompris, Self::Pysiogame, Self::GoogleEmoji, Self::Twemoji];

    /// Returns the name in a configuration and in `group`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Stamps => "stamps",
            Self::Gcompris => "gcompris",
            Self::Pysiogame => "pysiogame",
            Self::GoogleEmoji => "google_emoji",
            Self::Twemoji => "twemoji",
            Self::Openclipart => "openclipart",
        }
    }

    /// Returns the names of the packages whose folders it reads: the keys of `folders` in
    /// [`super::Small::open`].
    #[must_use]
    pub fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Stamps => &["stamps"],
            Self::Gcompris => &["gcompris"],
            Self::Pysiogame => &["pysiogame"],
            Self::GoogleEmoji => &["google_emoji", "emojibase"],
            Self::Twemoji => &[],
            Self::Openclipart => &["openclipart_png", "openclipart_svg"],
        }
    }

    /// Reads the pairs of the source, in an order that depends on nothing but the package.
    pub(crate) fn pairs(self, folders: &BTreeMap<String, PathBuf>) -> Result<Vec<Pair>, DataError> {
        let folder = |package: &str| -> Result<&Path, DataError> {
            let missing = |what: String| DataError::package(NAME, what);
            let dir = folders
                .get(package)
                .ok_or_else(|| missing(format!("the package '{package}' is not here")))?;
            if dir.is_dir() {
                Ok(dir)
            } else {
                Err(missing(format!("{} ('{package}') is no folder", dir.display())))
            }
        };
        match self {
            Self::Stamps => stamps::read(folder("stamps")?),
            Self::Gcompris => gcompris::read(folder("gcompris")?),
            Self::Pysiogame => pysiogame::read(folder("pysiogame")?),
            Self::GoogleEmoji => google_emoji::read(folder("google_emoji")?, folder("emojibase")?),
            Self::Twemoji => Ok(twemoji::read()),
            Self::Openclipart => {
                openclipart::read(folder("openclipart_png")?, folder("openclipart_svg")?)
            }
        }
    }
}

/// Settings of the `small` data set. Every field has a default, so an empty table is a valid
/// configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SmallConfig {
    /// Seed of the division into splits and of the wording of questions.
    pub seed: u64,
    /// Sources of pictures; each at most once.
    pub sources: Vec<SmallSource>,
    /// The share of captions that go to `val`.
    pub val: f64,
    /// The share of captions that go to `test`.
    pub test: f64,
}

impl Default for SmallConfig {
    fn default() -> Self {
        Self { seed: 1, sources: SmallSource::DEFAULT.to_vec(), val: 0.1, test: 0.15 }
    }
}

impl SmallConfig {
    /// Checks that every setting can be met.
    ///
    /// # Errors
    /// The first setting that is out of range.
    pub fn check(&self) -> Result<(), DataError> {
        let fail = |what: String, hint: &str| Err(DataError::new(format!("{NAME}: {what}"), hint));
        if self.sources.is_empty() {
            return fail("no source".to_owned(), "leave `sources` out to use the default ones");
        }
        for (at, source) in self.sources.iter().enumerate() {
            if self.sources[..at].contains(source) {
                return fail(
                    format!("the source '{}' is given twice", source.name()),
                    "name each once",
                );
            }
        }
        let share = |v: f64| (0.0..1.0).contains(&v);
        if !share(self.val) || !share(self.test) || self.val + self.test >= 1.0 {
            let what =
                format!("val = {} and test = {} leave nothing to train on", self.val, self.test);
            return fail(
                what,
                "shares are from 0 to below 1, and so is their sum; 0.1 and 0.15 are the defaults",
            );
        }
        Ok(())
    }

    /// Returns the names of the packages that are needed, for callers that find their folders.
    #[must_use]
    pub fn packages(&self) -> Vec<&'static str> {
        self.sources.iter().flat_map(|source| source.packages()).copied().collect()
    }
}
