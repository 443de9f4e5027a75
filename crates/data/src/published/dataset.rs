//! A split of a published data set.

use super::config::PublishedConfig;
use super::load::{Loaded, load};
use super::pictures::{Part, Pictures, ends};
use crate::dataset::{at, hex};
use crate::lists::fault::{Fault, Findings, Strict};
use crate::{Alpha, DataError, Dataset, Item};
use image::RgbImage;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::path::Path;
use std::sync::OnceLock;

/// A split of a published data set: texts as published (no case or mark is changed) and question
/// ids as published.
///
/// `id` of an item is the number of the picture where the format has one, else its path; `shows` is
/// the path within the folder of pictures; `group` is `all`, or the domain of NoCaps. `kind` of a
/// question is the published type, or `other`.
pub struct Published {
    name: String,
    items: Vec<Item>,
    pictures: Pictures,
    left_out: Findings,
    remarks: Vec<String>,
    /// Looks into every picture, so it is computed once.
    fingerprint: OnceLock<String>,
}

impl Published {
    /// Reads the annotations of a split; pictures are decoded when asked for. All texts are in
    /// memory: 658,000 questions with ten answers each took 0.6 GB (`tests/big.rs`).
    ///
    /// # Errors
    /// If there is no such split, a file is not there (the error says what to put where) or
    /// anything in it is wrong (the error has the file and the row). That pictures are there is not
    /// looked at, except with `skip_missing`.
    pub fn open(config: &PublishedConfig, root: &Path, split: &str) -> Result<Self, DataError> {
        let mut strict = Strict::default();
        let Loaded { mut items, mut pictures, remarks, .. } =
            load(config, root, split, &mut strict)?;
        if pictures.parts.iter().any(|part| part.skip_missing) {
            let named: Vec<String> = items.iter().map(|item| item.depicts.clone()).collect();
            (items, pictures) = without_missing(items, pictures);
            let kept: HashSet<&str> = items.iter().map(|item| item.depicts.as_str()).collect();
            for name in named.iter().filter(|name| !kept.contains(name.as_str())) {
                let error = DataError::missing(
                    format!("there is no picture {name}"),
                    "`skip_missing` leaves it out",
                );
                strict.left_out.add(Fault::MissingImage, &error);
            }
        }
        if items.is_empty() {
            let what = format!("the split '{split}' in {} has no picture", root.display());
            return Err(DataError::published(
                what,
                "are `files`, `folders` and `select` of the card right?",
            ));
        }
        let folder =
            root.file_name().map_or_else(|| "published".into(), |name| name.to_string_lossy());
        Ok(Self {
            name: format!("{folder}:{split}"),
            items,
            pictures,
            left_out: strict.left_out.findings,
            remarks,
            fingerprint: OnceLock::new(),
        })
    }

    /// The same with another name to show than `FOLDER:SPLIT`.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }
}

/// Leaves out items whose part wants that if their pictures are not there.
fn without_missing(items: Vec<Item>, pictures: Pictures) -> (Vec<Item>, Pictures) {
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
    let pictures = Pictures { parts: parts.collect() };
    (
        items.into_iter().zip(there).filter_map(|(item, there)| there.then_some(item)).collect(),
        pictures,
    )
}

impl Dataset for Published {
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
        self.image_as(index, Alpha::OnWhite)
    }

    fn image_as(&self, index: usize, alpha: Alpha) -> Result<RgbImage, DataError> {
        let item = at(&self.items, index, &self.name)?;
        self.pictures.decode(index, &item.depicts, alpha)
    }

    fn left_out(&self) -> Findings {
        self.left_out.clone()
    }

    fn remarks(&self) -> Vec<String> {
        self.remarks.clone()
    }

    /// Over the texts and, for each picture, its length and its first and last 4096 bytes: not over
    /// all bytes, which may be 20 GB. A picture that is not there counts as empty.
    fn fingerprint(&self) -> String {
        self.fingerprint.get_or_init(|| self.digest()).clone()
    }
}

impl Published {
    fn digest(&self) -> String {
        let sums: Vec<[u8; 32]> = self
            .items
            .par_iter()
            .enumerate()
            .map(|(at, item)| {
                let seen =
                    self.pictures.find(at, &item.depicts).ok().and_then(|path| ends(&path).ok());
                let mut hash = Sha256::new();
                hash.update(format!("{item:?}\n"));
                hash.update(seen.unwrap_or_default());
                hash.finalize().into()
            })
            .collect();
        hex(&Sha256::digest(sums.as_flattened()))
    }
}
