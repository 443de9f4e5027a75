//! The keys of `[data]`.

use crate::experiment::train_data::TrainData;
use serde::{Deserialize, Serialize};
use toolkit_train::source::MAX_DAMAGED;

/// Sources of images and texts.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct DataSpec {
    /// Pre-training pairs of both stages.
    pub train: TrainData,
    /// Evaluated along stage 2: the curves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val: Option<String>,
    /// Evaluated once, at the end: the tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<String>,
    /// Pictures that may be unreadable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_damaged: Option<MaxDamaged>,
    /// Way in which training gets the features of its pictures. It changes no result.
    #[serde(default, skip_serializing_if = "FeatureMode::is_auto")]
    pub features: FeatureMode,
    /// Samples that are shuffled at a time where data are read block by block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shuffle: Option<usize>,
}

/// Way in which training gets the features of its pictures.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq, Hash)]
#[serde(rename_all = "lowercase")]
pub enum FeatureMode {
    /// Cached where pictures are not augmented and the cache has room for them, live otherwise.
    #[default]
    Auto,
    /// Encoded once and read from the cache.
    Cached,
    /// Decoded and encoded in each step.
    Live,
}

impl FeatureMode {
    fn is_auto(&self) -> bool {
        *self == Self::Auto
    }
}

/// Pictures that may be unreadable: a number of each data set, or a share.
///
/// Cached features leave them out. A live source takes others in their place.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq)]
#[serde(untagged)]
pub enum MaxDamaged {
    /// Number of pictures of each data set.
    Count(usize),
    /// Share of the pictures, below 1.
    Share(f64),
}

impl MaxDamaged {
    /// Returns the number of pictures of a data set of `len`; none unless the experiment says so.
    #[must_use]
    pub fn count(limit: Option<Self>, len: usize) -> usize {
        match limit {
            None => 0,
            Some(Self::Count(count)) => count,
            Some(Self::Share(share)) => (share * len as f64) as usize,
        }
    }

    /// Returns the share of the samples of a live source over `len` pictures.
    #[must_use]
    pub fn share(limit: Option<Self>, len: usize) -> f64 {
        match limit {
            None => MAX_DAMAGED,
            Some(Self::Count(count)) => count as f64 / len.max(1) as f64,
            Some(Self::Share(share)) => share,
        }
    }
}
