//! Shards in a card: `kind = "shards"`.

use super::dataset::{ShardOptions, Shards};
use super::place::ShardForm;
use crate::root::{data_root, variable};
use crate::{DataError, Dataset, DatasetCard, DatasetFormat, UserFiles};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Shards of one split.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardSplit {
    /// Files, folders, brace lists and globs, relative to the root.
    pub files: Vec<String>,
    /// Published number of pictures: a plan counts with it where the files are not there.
    #[serde(default)]
    pub images: Option<u64>,
}

/// The `[config]` of a card of kind `shards`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ShardsConfig {
    /// Address at which the publisher offers the files.
    pub home: String,
    /// Folder of the shards on this machine; `~/` is the home folder. Otherwise the folder called as
    /// the card in the one that the environment variable `TOOLKIT_DATA` names.
    pub root: Option<String>,
    /// Files of the splits: tar files, parquet files, or tables.
    pub form: ShardForm,
    /// Column with the bytes or paths of pictures; one with a usual name unless given.
    pub image: Option<String>,
    /// Field of the JSON, or column, that has the captions; otherwise `caption` or `captions`, then `.txt` and
    /// `.caption`.
    pub caption: Option<String>,
    /// The splits by name.
    pub splits: BTreeMap<String, ShardSplit>,
}

impl ShardsConfig {
    fn root(&self, card: &str) -> Result<PathBuf, DataError> {
        let at_home = match self.home.is_empty() {
            true => String::new(),
            false => format!(" (published at {})", self.home),
        };
        data_root(self.root.as_deref(), card, &at_home, &variable)
    }

    fn split(&self, name: &str) -> Result<&ShardSplit, DataError> {
        self.splits.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.splits.keys().map(String::as_str).collect();
            let hint = format!("the splits are {}", known.join(", "));
            DataError::new(format!("no split '{name}'"), hint)
        })
    }
}

impl DatasetFormat for Shards {
    type Config = ShardsConfig;

    fn from_card(
        config: &ShardsConfig,
        card: &DatasetCard<'_>,
        split: &str,
    ) -> Result<Arc<dyn Dataset>, DataError> {
        let files = &config.split(split)?.files;
        let ShardsConfig { form, image, caption, .. } = config.clone();
        let options = ShardOptions { root: config.root(card.name)?, form, caption, image };
        let name = format!("{}:{split}", card.name);
        Ok(Arc::new(Self::open(name, files, &options, card.opening)?))
    }

    fn check_config(config: &ShardsConfig) -> Result<(), DataError> {
        if config.splits.is_empty() {
            let hint = "add [config.splits.train] with `files = [\"{00..15}.tar\"]`";
            return Err(DataError::new("the card has no split", hint));
        }
        match config.splits.iter().find(|(_, split)| split.files.is_empty()) {
            None => Ok(()),
            Some((name, _)) => Err(DataError::new(
                format!("[config.splits.{name}]: no `files`"),
                "name shards relative to the root, such as `{00..15}.tar`",
            )),
        }
    }

    fn splits(config: &ShardsConfig) -> Vec<String> {
        config.splits.keys().cloned().collect()
    }

    fn published_images(config: &ShardsConfig, split: &str) -> Option<usize> {
        config.splits.get(split)?.images.and_then(|images| usize::try_from(images).ok())
    }

    fn user_files(config: &ShardsConfig, card: &str) -> Option<UserFiles> {
        Some(UserFiles { home: config.home.clone(), root: config.root(card) })
    }
}
