//! A split of a published data set.

use super::config::PublishedConfig;
use super::load::{Loaded, load};
use super::pictures::{Part, PublishedPictures};
use crate::kept_sums::KeptSums;
use crate::lists::fault::{Fault, Strict};
use crate::{
    Check, CheckOptions, DataError, Dataset, DatasetCard, DatasetFormat, Item, Items, OnPictures,
    UserFiles,
};
use rayon::prelude::*;
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

/// Captions of a picture, where only the number of captions is published: COCO's.
const CAPTIONS_PER_IMAGE: usize = 5;

/// A split of a published data set: texts as published (no case or mark is changed) and question
/// ids as published.
///
/// [`Item::id`] is the number of the picture where the format has one, else its path;
/// [`Item::depicts`] is the path within the folder of pictures; [`Item::group`] is `all`, or the
/// domain of NoCaps. [`crate::Question::kind`] is the published type, or `other`.
pub type Published = Items<PublishedPictures>;

impl Published {
    /// Reads the annotations of a split; pictures are decoded on demand. The name of the data set is
    /// `FOLDER:SPLIT`. All texts are in memory: 658,000 questions with ten answers each took
    /// 0.6 GB (`tests/big.rs`).
    ///
    /// # Errors
    /// If there is no such split, a file is not there or anything in it is wrong (the error has the
    /// file and the row). Pictures are not looked for, except with `skip_missing`.
    pub fn open(config: &PublishedConfig, root: &Path, split: &str) -> Result<Self, DataError> {
        let mut strict = Strict::default();
        let Loaded { mut items, mut pictures, remarks, .. } =
            load(config, root, split, &mut strict)?;
        if pictures.parts.iter().any(|part| part.skip_missing) {
            let named: Vec<String> = items.iter().map(|item| item.depicts.clone()).collect();
            (items, pictures) = without_missing(items, pictures);
            let found: HashSet<&str> = items.iter().map(|item| item.depicts.as_str()).collect();
            for name in named.iter().filter(|name| !found.contains(name.as_str())) {
                let what = format!("there is no picture {name}");
                let error = DataError::missing(what, "`skip_missing` leaves it out");
                strict.left_out.add(Fault::MissingImage, &error);
            }
        }
        if items.is_empty() {
            let what = format!("the split '{split}' in {} has no picture", root.display());
            return Err(DataError::new(
                what,
                "are `files`, `folders` and `select` of the card right?",
            ));
        }
        let folder =
            root.file_name().map_or_else(|| "published".into(), |name| name.to_string_lossy());
        let data = Self::new(format!("{folder}:{split}"), items, pictures);
        Ok(data.with_notes(strict.left_out.findings, remarks))
    }
}

/// Leaves out items of parts with `skip_missing` whose pictures are not there.
fn without_missing(
    items: Vec<Item>,
    pictures: PublishedPictures,
) -> (Vec<Item>, PublishedPictures) {
    let there: Vec<bool> = items
        .par_iter()
        .enumerate()
        .map(|(at, item)| {
            !pictures.part(at).skip_missing || pictures.find(at, &item.depicts).is_ok()
        })
        .collect();
    let parts = pictures.parts.into_iter().map(|part| {
        let first = there[..part.first].iter().filter(|&&there| there).count();
        Part { first, ..part }
    });
    let pictures = PublishedPictures { parts: parts.collect(), kept: pictures.kept };
    let items = items.into_iter().zip(there);
    (items.filter_map(|(item, there)| there.then_some(item)).collect(), pictures)
}

impl DatasetFormat for Published {
    type Config = PublishedConfig;

    fn from_card(
        config: &PublishedConfig,
        card: &DatasetCard<'_>,
        split: &str,
    ) -> Result<Arc<dyn Dataset>, DataError> {
        let root = config.root(card.name)?;
        let kept = KeptSums::new(&card.opening.indexes, &format!("{} {split}", root.display()));
        let data = Self::open(config, &root, split)?
            .with_pictures(|pictures| PublishedPictures { kept: Some(kept), ..pictures });
        Ok(Arc::new(data.named(format!("{}:{split}", card.name))))
    }

    fn check_config(config: &PublishedConfig) -> Result<(), DataError> {
        config.check()
    }

    fn splits(config: &PublishedConfig) -> Vec<String> {
        config.splits.keys().cloned().collect()
    }

    fn published_images(config: &PublishedConfig, split: &str) -> Option<usize> {
        let split = config.splits.get(split)?;
        if !split.join.is_empty() {
            let parts = split.join.iter().map(|name| {
                config.splits.get(name).filter(|part| part.join.is_empty())?;
                Self::published_images(config, name)
            });
            return parts.sum();
        }
        let captions = split.captions.map(|captions| captions as usize / CAPTIONS_PER_IMAGE);
        split.images.map(|images| images as usize).or(captions)
    }

    fn user_files(config: &PublishedConfig, card: &str) -> Option<UserFiles> {
        Some(UserFiles { home: config.home.clone(), root: config.root(card) })
    }

    fn check_files(
        config: &PublishedConfig,
        card: &DatasetCard<'_>,
        split: &str,
        options: CheckOptions,
        progress: OnPictures<'_>,
    ) -> Result<Option<Check>, DataError> {
        let root = config.root(card.name)?;
        super::check(config, &root, split, options, progress).map(Some)
    }
}
