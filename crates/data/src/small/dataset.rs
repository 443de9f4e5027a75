//! One split of the `small` data set.

use super::pair::Pair;
use super::picture::{PackagePictures, Sum, sums};
use super::questions::{Asked, ask};
use super::split::{Split, splits};
use super::{NAME, SmallConfig, SmallSource, normalise};
use crate::{Alpha, DataError, Dataset, DatasetCard, DatasetFormat, Item, Items, Pictures};
use image::RgbImage;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Pictures of packages.
pub struct SmallPictures(PackagePictures);

/// One split of pictures of packages with captions that people wrote.
///
/// [`Item::depicts`] is the normalised name of the content, so that any picture of the same name
/// counts as right in retrieval. [`Item::group`] is the source.
pub type Small = Items<SmallPictures>;

/// A picture with its texts, its source and the sum of its file.
struct Sourced {
    source: SmallSource,
    pair: Pair,
    sum: Sum,
}

impl Small {
    /// Reads the texts of `train`, `val` or `test` and the sums of all pictures, which are decoded
    /// on demand. `folders` has the folder of each unpacked package by its name
    /// ([`SmallConfig::packages`]); others are ignored.
    ///
    /// # Errors
    /// If there is no such split, a setting cannot be met, or a package is missing or damaged.
    pub fn open(
        config: &SmallConfig,
        folders: &BTreeMap<String, PathBuf>,
        split: &str,
    ) -> Result<Self, DataError> {
        config.check()?;
        let wanted = Split::named(split).ok_or_else(|| {
            let what = format!("{NAME}: no split '{split}'");
            DataError::new(what, "the splits are train, val and test")
        })?;
        let chosen = choose(config, folders, wanted)?;
        if chosen.is_empty() {
            let what = format!("{NAME}: no picture falls into '{split}'");
            return Err(DataError::new(what, "use more sources or a larger share"));
        }
        let mut items = Vec::with_capacity(chosen.len());
        for chunk in chosen.chunk_by(|a, b| a.source == b.source) {
            items.extend(items_of(config.seed, split, chunk));
        }
        // Splits count in ranges of their own, so that questions of two of them can be told apart.
        let first = (wanted as u64) << 40;
        for (at, question) in items.iter_mut().flat_map(|item| &mut item.questions).enumerate() {
            question.id = first + at as u64;
        }
        let (pictures, sums) = chosen.into_iter().map(|one| (one.pair.picture, one.sum)).unzip();
        let pictures = SmallPictures(PackagePictures { pictures, sums });
        Ok(Self::new(format!("{NAME}:{split}"), items, pictures))
    }
}

/// Reads all sources and returns the pictures that fall into a split, in the order of the sources.
fn choose(
    config: &SmallConfig,
    folders: &BTreeMap<String, PathBuf>,
    wanted: Split,
) -> Result<Vec<Sourced>, DataError> {
    let (mut sources, mut pairs) = (Vec::new(), Vec::new());
    for &source in &config.sources {
        let read = source.pairs(folders)?;
        sources.extend(std::iter::repeat_n(source, read.len()));
        pairs.extend(read);
    }
    let sums = sums(&pairs.iter().map(|pair| &pair.picture).collect::<Vec<_>>())?;
    let places = splits(config, &pairs, &sums);
    let all = sources.into_iter().zip(pairs).zip(sums).zip(places);
    let chosen = all.filter(|(_, place)| *place == wanted);
    Ok(chosen.map(|(((source, pair), sum), _)| Sourced { source, pair, sum }).collect())
}

/// Writes the items of pictures of one source.
fn items_of(seed: u64, split: &str, chunk: &[Sourced]) -> Vec<Item> {
    let source = chunk[0].source.name();
    let asked = |pair: &Pair| pair.kind.map(|kind| Asked { kind, finer: pair.finer });
    let kinds: Vec<Option<Asked>> = chunk.iter().map(|one| asked(&one.pair)).collect();
    let questions = ask(seed, &format!("{source}/{split}"), &kinds);
    let item = |(Sourced { pair, .. }, questions): (&Sourced, _)| Item {
        id: pair.id.clone(),
        depicts: normalise(&pair.subject),
        group: source.to_owned(),
        captions: pair.captions.clone(),
        questions,
    };
    chunk.iter().zip(questions).map(item).collect()
}

impl Pictures for SmallPictures {
    fn image(&self, index: usize, _: &Item, _: Alpha) -> Result<RgbImage, DataError> {
        self.0.pictures[index].decode()
    }

    fn fingerprint(&self, name: &str, items: &[Item]) -> String {
        self.0.fingerprint(name, items)
    }
}

impl DatasetFormat for Small {
    type Config = SmallConfig;

    fn from_card(
        config: &SmallConfig,
        card: &DatasetCard<'_>,
        split: &str,
    ) -> Result<Arc<dyn Dataset>, DataError> {
        Ok(Arc::new(Self::open(config, &card.packages(config.packages())?, split)?))
    }

    fn check_config(config: &SmallConfig) -> Result<(), DataError> {
        config.check()
    }
}
