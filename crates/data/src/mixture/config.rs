//! Settings of a mixture: of a card by split, or of an experiment.

use crate::{DataError, DataName, TextProcessor};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// `[config]` of a card with `kind = "mixture"`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MixtureConfig {
    /// Splits by name.
    pub splits: BTreeMap<String, MixtureSplit>,
}

/// One mixture.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MixtureSplit {
    /// Shares of sources where none has a `ratio`.
    #[serde(default, skip_serializing_if = "NaturalShare::is_picture")]
    pub by: NaturalShare,
    /// Sources, in the order of their items.
    pub source: Vec<MixtureSource>,
}

/// Shares of sources that have no `ratio`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NaturalShare {
    /// Numbers of pictures: each picture is used equally often.
    #[default]
    Picture,
    /// Numbers of captions, as LAVIS has it, which joins rows of one picture and one caption.
    Row,
}

impl NaturalShare {
    fn is_picture(&self) -> bool {
        *self == Self::Picture
    }
}

/// A source of a mixture.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MixtureSource {
    /// Name of data, such as `coco:train`, `folder:PATH` or `shards:GLOB`.
    pub data: String,
    /// Name of the source, the beginning of its ids; that of the data unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Share of the samples relative to that of the other sources. All sources have one, or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ratio: Option<f64>,
    /// Times that each item is used while others are used once; 1 unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<u32>,
    /// Number of items that are used; all unless given. They are drawn, and the draw is the same
    /// for every seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Field or column with the captions, for data that have several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caption: Option<String>,
    /// Cleaning of training captions, for data whose card has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_processor: Option<TextProcessor>,
    /// Text before each training caption, such as `a photo of ` with the space.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prompt: String,
}

impl MixtureSource {
    /// Returns the name of the source: the one that is given, or that of the data.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_else(|| match DataName::parse(&self.data) {
            DataName::Split { .. } | DataName::Card(_) => &self.data,
            files => files.title(),
        })
    }
}

impl MixtureSplit {
    /// Returns the names of the data.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.source.iter().map(|source| source.data.clone()).collect()
    }

    /// Checks the settings without opening data. `place` names the mixture in errors.
    ///
    /// # Errors
    /// At the first setting that cannot be met.
    pub fn check(&self, place: &str) -> Result<(), DataError> {
        let wrong =
            |what: String, hint: &str| Err(DataError::new(format!("{place}: {what}"), hint));
        if self.source.is_empty() {
            return wrong(
                "it has no source".to_owned(),
                "add `[[.. source]]` with `data = \"..\"`",
            );
        }
        let mut names = BTreeSet::new();
        for source in &self.source {
            let name = source.name();
            if name.is_empty() || name.contains('/') {
                let what = format!("`{name}` cannot be the beginning of ids");
                return wrong(what, "give the source a `name` without `/`");
            }
            if !names.insert(name) {
                let what = format!("two sources are called `{name}`");
                return wrong(what, "give each a `name` of its own");
            }
            if let Some((what, hint)) = source.fault() {
                return wrong(format!("source `{name}`: {what}"), hint);
            }
        }
        let with_ratio = self.source.iter().filter(|source| source.ratio.is_some()).count();
        if with_ratio > 0 {
            if let Some(bare) = self.source.iter().find(|source| source.ratio.is_none()) {
                let what = format!("source `{}` has no `ratio`, and others have one", bare.name());
                return wrong(what, "give all sources a `ratio`, or none of them");
            }
            if self.by == NaturalShare::Row {
                let what = "`by` has no meaning beside `ratio`".to_owned();
                return wrong(what, "take one of them out");
            }
        }
        Ok(())
    }
}

impl MixtureSource {
    /// Returns the first setting that cannot be met, with advice.
    fn fault(&self) -> Option<(String, &'static str)> {
        if let Some(ratio) = self.ratio {
            if !(ratio.is_finite() && ratio > 0.0) {
                return Some((format!("`ratio` is {ratio}"), "it must be above 0"));
            }
            if self.repeat.is_some() {
                let what = "`repeat` has no meaning beside `ratio`".to_owned();
                return Some((what, "take one of them out"));
            }
        }
        if self.repeat == Some(0) {
            return Some(("`repeat` is 0".to_owned(), "take the source out, or set 1"));
        }
        if self.limit == Some(0) {
            return Some(("`limit` is 0".to_owned(), "take the source out, or set 1"));
        }
        None
    }
}

impl MixtureConfig {
    /// Checks all splits without opening data.
    ///
    /// # Errors
    /// At the first setting that cannot be met.
    pub fn check(&self) -> Result<(), DataError> {
        if self.splits.is_empty() {
            return Err(DataError::new(
                "the mixture has no split",
                "add `[[config.splits.train.source]]` with `data = \"..\"`",
            ));
        }
        self.splits
            .iter()
            .try_for_each(|(name, split)| split.check(&format!("[config.splits.{name}]")))
    }
}
