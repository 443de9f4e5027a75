//! The `easy-vqa` data set: a published small benchmark of questions about one shape on a 64-pixel
//! picture, with its own splits (package `easy-vqa`, by Victor Zhou). Pictures have no captions.

use super::picture::{PackagePictures, Picture, sums};
use crate::{
    Alpha, DataError, Dataset, DatasetCard, DatasetFormat, Item, Items, Pictures, Question,
    answer_type,
};
use image::RgbImage;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use toolkit_seed::Stream;

const NAME: &str = "easy-vqa";
/// Name of the package in `folders`.
const PACKAGE: &str = "easy_vqa";
const SHAPES: [&str; 3] = ["circle", "rectangle", "triangle"];

/// Settings of the `easy-vqa` data set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EasyVqaConfig {
    /// Seed of the draw of `val`.
    pub seed: u64,
    /// Pictures of the package's `train` that become `val`. The package has no `val` of its own, so
    /// 0 is the published split.
    pub val: usize,
}

impl EasyVqaConfig {
    /// Returns the names of the packages that are needed.
    #[must_use]
    pub fn packages(&self) -> Vec<&'static str> {
        vec![PACKAGE]
    }
}

/// Pictures of the package.
pub struct EasyVqaPictures(PackagePictures);

/// One split of `easy-vqa`: every picture with its questions.
pub type EasyVqa = Items<EasyVqaPictures>;

/// Questions by the number of their picture.
type ByPicture = BTreeMap<usize, Vec<Question>>;

impl EasyVqa {
    /// Reads the questions of `train`, `val` (if the configuration has some pictures for it) or
    /// `test`.
    ///
    /// # Errors
    /// If there is no such split, or the package is missing or damaged.
    pub fn open(
        config: &EasyVqaConfig,
        folders: &BTreeMap<String, PathBuf>,
        split: &str,
    ) -> Result<Self, DataError> {
        let (part, code) = match split {
            "train" => ("train", 0),
            "val" if config.val > 0 => ("train", 0),
            "test" => ("test", 2),
            other => {
                let hint = "the splits are train and test, and val if `val` of the configuration \
                    is above 0";
                return Err(DataError::new(format!("{NAME}: no split '{other}'"), hint));
            }
        };
        let dir = folder(folders, part)?;
        let mut by_picture = questions(&dir, code)?;
        if part == "train" {
            divide(config, &mut by_picture, split == "val")?;
        }
        let (mut items, mut pictures) = (Vec::new(), Vec::new());
        for (number, questions) in by_picture {
            let id = format!("{part}-{number:04}");
            let group = "all".to_owned();
            items.push(Item { depicts: id.clone(), id, group, captions: vec![], questions });
            pictures.push(Picture::File(dir.join("images").join(format!("{number}.png"))));
        }
        if items.is_empty() {
            let what = format!("{} holds no question", dir.join("questions.json").display());
            return Err(DataError::package(NAME, what));
        }
        let sums = sums(&pictures.iter().collect::<Vec<_>>())?;
        let pictures = EasyVqaPictures(PackagePictures { pictures, sums });
        Ok(Self::new(format!("{NAME}:{split}"), items, pictures))
    }
}

/// Finds the folder of a part of the package.
fn folder(folders: &BTreeMap<String, PathBuf>, part: &str) -> Result<PathBuf, DataError> {
    let root = folders.get(PACKAGE).ok_or_else(|| {
        DataError::package(NAME, format_args!("the package '{PACKAGE}' is not here"))
    })?;
    let dir = root.join("easy_vqa/data").join(part);
    if dir.is_dir() {
        return Ok(dir);
    }
    Err(DataError::package(NAME, format_args!("there is no folder {}", dir.display())))
}

/// Reads the questions of a part. Their ids begin at `code << 40`.
fn questions(dir: &Path, code: u64) -> Result<ByPicture, DataError> {
    let path = dir.join("questions.json");
    let text =
        std::fs::read(&path).map_err(|source| DataError::Read { path: path.clone(), source })?;
    let rows: Vec<(String, String, usize)> = serde_json::from_slice(&text).map_err(|error| {
        let what = format!("{} is no list of questions: {error}", path.display());
        DataError::package(NAME, what)
    })?;
    let mut by_picture = ByPicture::new();
    for (at, (text, answer, picture)) in rows.into_iter().enumerate() {
        by_picture.entry(picture).or_default().push(Question {
            id: (code << 40) | at as u64,
            text,
            kind: kind(&answer).to_owned(),
            answer_type: answer_type(&answer).to_owned(),
            answers: vec![answer],
        });
    }
    Ok(by_picture)
}

/// Returns the type of a question. Colours and shapes are the only answers besides yes and no.
fn kind(answer: &str) -> &'static str {
    match answer {
        "yes" | "no" => "exists",
        shape if SHAPES.contains(&shape) => "what",
        _ => "colour_thing",
    }
}

/// Divides the published `train` and leaves the pictures of `val`, or those of the rest.
fn divide(config: &EasyVqaConfig, all: &mut ByPicture, val: bool) -> Result<(), DataError> {
    if config.val >= all.len().max(1) {
        let what = format!(
            "{NAME}: val = {} of {} pictures leaves none to train on",
            config.val,
            all.len()
        );
        return Err(DataError::new(what, "400 are a tenth of the published `train`"));
    }
    let numbers: Vec<usize> = all.keys().copied().collect();
    let order = Stream::new(config.seed, "easy-vqa/val", 0).permutation(numbers.len());
    let (for_val, for_train) = order.split_at(config.val);
    for &at in if val { for_train } else { for_val } {
        all.remove(&numbers[at]);
    }
    Ok(())
}

impl Pictures for EasyVqaPictures {
    fn image(&self, index: usize, _: &Item, _: Alpha) -> Result<RgbImage, DataError> {
        self.0.pictures[index].decode()
    }

    fn fingerprint(&self, name: &str, items: &[Item]) -> String {
        self.0.fingerprint(name, items)
    }
}

impl DatasetFormat for EasyVqa {
    type Config = EasyVqaConfig;

    fn from_card(
        config: &EasyVqaConfig,
        card: &DatasetCard<'_>,
        split: &str,
    ) -> Result<Arc<dyn Dataset>, DataError> {
        Ok(Arc::new(Self::open(config, &card.packages(config.packages())?, split)?))
    }

    fn splits(config: &EasyVqaConfig) -> Vec<String> {
        let all = [("train", true), ("val", config.val > 0), ("test", true)];
        all.iter().filter(|(_, has)| *has).map(|(name, _)| (*name).to_owned()).collect()
    }
}
