//! Several sources as one data set.

use super::config::{MixtureConfig, MixtureSource, MixtureSplit};
use super::source::OpenSource;
use super::weights::source_rows;
use crate::dataset::hex;
use crate::lists::fault::EXAMPLES;
use crate::{
    Alpha, DataError, Dataset, DatasetCard, DatasetFormat, Findings, Item, PictureFile, ShardInfo,
    SourceRows,
};
use image::RgbImage;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::sync::Arc;

/// Sources one after the other, each with a share of the training samples.
///
/// [`Item::id`] and [`Item::depicts`] are those of the source behind `SOURCE/`.
pub struct Mixture {
    name: String,
    sources: Vec<OpenSource>,
    rows: Vec<SourceRows>,
}

/// A function that opens the data set of a source.
type OpenSourceOf<'a> = &'a dyn Fn(&MixtureSource) -> Result<Arc<dyn Dataset>, DataError>;

impl Mixture {
    /// Opens the sources of a mixture. `open` opens one of them.
    ///
    /// # Errors
    /// If a setting cannot be met, or a source cannot be opened or is empty.
    pub fn open(
        name: impl Into<String>,
        config: &MixtureSplit,
        open: OpenSourceOf<'_>,
    ) -> Result<Self, DataError> {
        let name = name.into();
        config.check(&name)?;
        let (mut sources, mut first) = (Vec::new(), 0);
        for source in &config.source {
            let opened = OpenSource::new(source, first, open(source)?)?;
            first += opened.len();
            sources.push(opened);
        }
        let rows = source_rows(&sources, config.by);
        Ok(Self { name, sources, rows })
    }

    /// Returns the source of an item, and the number of the item in it.
    fn find(&self, index: usize) -> (&OpenSource, usize) {
        let at = self.sources.partition_point(|source| source.first <= index);
        let source = &self.sources[at.saturating_sub(1)];
        (source, index - source.first)
    }

    /// Finds an item as [`Mixture::find`].
    ///
    /// # Errors
    /// If there is no such item.
    fn checked(&self, index: usize) -> Result<(&OpenSource, usize), DataError> {
        if index < self.len() {
            return Ok(self.find(index));
        }
        Err(DataError::index(&self.name, index, self.len()))
    }

    fn hash(&self, keys: impl Iterator<Item = String>) -> String {
        let mut hash = Sha256::new_with_prefix("mixture");
        keys.for_each(|key| hash.update(format!("\n{key}")));
        hex(&hash.finalize())
    }
}

impl Dataset for Mixture {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> usize {
        self.sources.last().map_or(0, |last| last.first + last.len())
    }

    fn item(&self, index: usize) -> Cow<'_, Item> {
        assert!(index < self.len(), "item {index} of {}", self.len());
        let (source, item) = self.find(index);
        Cow::Owned(source.item(item))
    }

    fn training_captions(&self, index: usize) -> Vec<String> {
        assert!(index < self.len(), "item {index} of {}", self.len());
        let (source, item) = self.find(index);
        source.training_captions(item)
    }

    fn caption_count(&self) -> u64 {
        self.sources.iter().map(OpenSource::caption_count).sum()
    }

    fn is_sequential(&self) -> bool {
        self.sources.iter().any(|source| source.data.is_sequential())
    }

    fn sources(&self) -> Vec<SourceRows> {
        self.rows.clone()
    }

    fn source_of(&self, index: usize) -> usize {
        self.rows.partition_point(|source| source.rows.start <= index).saturating_sub(1)
    }

    fn shards(&self) -> Vec<ShardInfo> {
        let of = |source: &OpenSource| {
            let shards = source.data.shards().into_iter();
            let named = shards
                .map(|one| ShardInfo { name: format!("{}/{}", source.name, one.name), ..one });
            named.collect::<Vec<_>>()
        };
        self.sources.iter().flat_map(of).collect()
    }

    fn shard_of(&self, index: usize) -> Option<usize> {
        let (source, item) = self.checked(index).ok()?;
        let before = self.sources.iter().take_while(|one| one.first < source.first);
        let shards: usize = before.map(|one| one.shards).sum();
        Some(shards + source.data.shard_of(source.row(item))?)
    }

    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        let (source, item) = self.checked(index)?;
        source.data.image(source.row(item))
    }

    fn image_as(&self, index: usize, alpha: Alpha) -> Result<RgbImage, DataError> {
        let (source, item) = self.checked(index)?;
        source.data.image_as(source.row(item), alpha)
    }

    fn picture_file(&self, index: usize) -> Result<Option<PictureFile>, DataError> {
        let (source, item) = self.checked(index)?;
        source.data.picture_file(source.row(item))
    }

    fn fingerprint(&self) -> String {
        self.hash(self.sources.iter().map(OpenSource::key))
    }

    fn training_fingerprint(&self) -> String {
        let weights = self.rows.iter().map(|one| format!("{:?} {:?}", one.name, one.weight));
        self.hash(self.sources.iter().map(OpenSource::training_key).chain(weights))
    }

    fn left_out(&self) -> Findings {
        let mut all = Findings::new();
        for (fault, found) in self.sources.iter().flat_map(|source| source.data.left_out()) {
            let finding = all.entry(fault).or_default();
            finding.count += found.count;
            finding.examples.extend(found.examples);
            finding.examples.truncate(EXAMPLES);
        }
        all
    }

    fn remarks(&self) -> Vec<String> {
        let of = |source: &OpenSource| {
            let lines = source.data.remarks().into_iter();
            lines.map(|line| format!("{}: {line}", source.name)).collect::<Vec<_>>()
        };
        self.sources.iter().flat_map(of).collect()
    }
}

impl DatasetFormat for Mixture {
    type Config = MixtureConfig;

    fn from_card(
        config: &MixtureConfig,
        card: &DatasetCard<'_>,
        split: &str,
    ) -> Result<Arc<dyn Dataset>, DataError> {
        let Some(mixture) = config.splits.get(split) else {
            let known: Vec<&str> = config.splits.keys().map(String::as_str).collect();
            let what = format!("{}: no split '{split}'", card.name);
            return Err(DataError::new(what, format!("the splits are {}", known.join(", "))));
        };
        let name = format!("{}:{split}", card.name);
        let open = |source: &MixtureSource| (card.open)(&source.data, source.caption.as_deref());
        Ok(Arc::new(Self::open(name, mixture, &open)?))
    }

    fn check_config(config: &MixtureConfig) -> Result<(), DataError> {
        config.check()
    }

    fn splits(config: &MixtureConfig) -> Vec<String> {
        config.splits.keys().cloned().collect()
    }

    fn made_of(config: &MixtureConfig, split: &str) -> Vec<String> {
        config.splits.get(split).map(MixtureSplit::names).unwrap_or_default()
    }
}
