//! One split of the `small` data set.

use super::pair::Pair;
use super::picture::{Picture, Sum, fingerprint, sums};
use super::questions::{Asked, ask};
use super::split::{Split, splits};
use super::{NAME, SmallConfig, SmallSource, normalise};
use crate::dataset::at;
use crate::{DataError, Dataset, Item};
use image::RgbImage;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Pictures of packages with captions that people wrote. `shows` is the normalised name of what is
/// shown, so that any picture of the same name counts as right in retrieval; `group` is the source.
pub struct Small {
    name: String,
    items: Vec<Item>,
    pictures: Vec<Picture>,
    sums: Vec<Sum>,
}

impl Small {
    /// Reads the texts of `train`, `val` or `test` and the sums of all pictures, which are decoded
    /// when asked for. `folders` has the folder of each unpacked package by its name
    /// ([`SmallConfig::packages`]); others are ignored.
    ///
    /// # Errors
    /// If there is no such split, a setting cannot be met, a package is missing (the hint says what
    /// to run) or damaged.
    pub fn open(
        config: &SmallConfig,
        folders: &BTreeMap<String, PathBuf>,
        split: &str,
    ) -> Result<Self, DataError> {
        config.check()?;
        let wanted = Split::named(split).ok_or_else(|| {
            DataError::choice(
                NAME,
                format!("no split '{split}'"),
                "the splits are train, val and test",
            )
        })?;
        let sources: Result<Vec<(SmallSource, Vec<Pair>)>, DataError> =
            config.sources.iter().map(|&source| Ok((source, source.pairs(folders)?))).collect();
        let (mut groups, mut pairs) = (Vec::new(), Vec::new());
        for (source, read) in sources? {
            groups.extend(std::iter::repeat_n(source, read.len()));
            pairs.extend(read);
        }
        let all = sums(&pairs.iter().map(|pair| &pair.picture).collect::<Vec<_>>())?;
        let places = splits(config, &pairs, &all);
        let mut chosen: Vec<(SmallSource, Pair)> = Vec::new();
        let mut sums = Vec::new();
        for (((source, pair), place), sum) in groups.into_iter().zip(pairs).zip(places).zip(all) {
            if place == wanted {
                chosen.push((source, pair));
                sums.push(sum);
            }
        }
        if chosen.is_empty() {
            let hint = "use more sources or a larger share";
            return Err(DataError::choice(NAME, format!("no picture falls into '{split}'"), hint));
        }
        let (mut items, mut pictures) =
            (Vec::with_capacity(chosen.len()), Vec::with_capacity(chosen.len()));
        for chunk in chosen.chunk_by(|a, b| a.0 == b.0) {
            let source = chunk[0].0.name();
            let kinds: Vec<Option<Asked>> = chunk
                .iter()
                .map(|(_, pair)| pair.kind.map(|kind| Asked { kind, finer: pair.finer }))
                .collect();
            let questions = ask(config.seed, &format!("{source}/{split}"), &kinds);
            for ((_, pair), questions) in chunk.iter().zip(questions) {
                items.push(Item {
                    id: pair.id.clone(),
                    depicts: normalise(&pair.subject),
                    group: source.to_owned(),
                    captions: pair.captions.clone(),
                    questions,
                });
                pictures.push(pair.picture.clone());
            }
        }
        // Splits count in ranges of their own, so that questions of two of them can be told apart.
        let first = (wanted as u64) << 40;
        for (at, question) in items.iter_mut().flat_map(|item| &mut item.questions).enumerate() {
            question.id = first + at as u64;
        }
        Ok(Self { name: format!("{NAME}:{split}"), items, pictures, sums })
    }
}

impl Dataset for Small {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> usize {
        self.items.len()
    }

    fn item(&self, index: usize) -> &Item {
        &self.items[index]
    }

    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        let picture = at(&self.pictures, index, &self.name)?;
        picture.decode()
    }

    fn fingerprint(&self) -> String {
        fingerprint(&self.name, &self.items, &self.sums)
    }
}
