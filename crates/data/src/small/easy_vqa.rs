//! The `easy-vqa` data set: a published small benchmark of questions about one shape on a 64-pixel
//! picture, with its own splits (package `easy-vqa`, by Victor Zhou). Pictures have no captions.

use super::picture::{Picture, Sum, fingerprint, sums};
use crate::dataset::at;
use crate::{DataError, Dataset, Item, Question, answer_type};
use image::RgbImage;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use toolkit_seed::Stream;

const NAME: &str = "easy-vqa";
/// The name of the package in `folders`.
const PACKAGE: &str = "easy_vqa";
const SHAPES: [&str; 3] = ["circle", "rectangle", "triangle"];

/// Settings of the `easy-vqa` data set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EasyVqaConfig {
    /// Names the draw of `val`.
    pub seed: u64,
    /// How many pictures of the package's `train` are kept back as `val`. It has no `val` of its
    /// own, so 0 is the published split.
    pub val: usize,
}

impl EasyVqaConfig {
    /// The names of the packages that are needed.
    #[must_use]
    pub fn packages(&self) -> Vec<&'static str> {
        vec![PACKAGE]
    }
}

/// One split of `easy-vqa`: every picture with its questions.
pub struct EasyVqa {
    name: String,
    items: Vec<Item>,
    pictures: Vec<Picture>,
    sums: Vec<Sum>,
}

/// What is asked for: colours and shapes are the only answers beside yes and no.
fn kind(answer: &str) -> &'static str {
    match answer {
        "yes" | "no" => "exists",
        shape if SHAPES.contains(&shape) => "what",
        _ => "colour_thing",
    }
}

impl EasyVqa {
    /// Reads the questions of `train`, `val` (if the configuration keeps some pictures back for it)
    /// or `test`.
    ///
    /// # Errors
    /// If there is no such split, or the package is missing (the hint says what to run) or damaged.
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
                return Err(DataError::choice(NAME, format!("no split '{other}'"), hint));
            }
        };
        let missing = |what: String| DataError::package(NAME, what);
        let root = folders
            .get(PACKAGE)
            .ok_or_else(|| missing(format!("the package '{PACKAGE}' is not here")))?;
        let dir = root.join("easy_vqa/data").join(part);
        if !dir.is_dir() {
            return Err(missing(format!("there is no folder {}", dir.display())));
        }
        let path = dir.join("questions.json");
        let text = std::fs::read(&path)
            .map_err(|source| DataError::Read { path: path.clone(), source })?;
        let rows: Vec<(String, String, usize)> =
            serde_json::from_slice(&text).map_err(|error| {
                missing(format!("{} is no list of questions: {error}", path.display()))
            })?;
        let mut by_picture: BTreeMap<usize, Vec<Question>> = BTreeMap::new();
        for (at, (text, answer, picture)) in rows.into_iter().enumerate() {
            by_picture.entry(picture).or_default().push(Question {
                id: (code << 40) | at as u64,
                text,
                kind: kind(&answer).to_owned(),
                answer_type: answer_type(&answer).to_owned(),
                answers: vec![answer],
            });
        }
        if part == "train" {
            if config.val >= by_picture.len().max(1) {
                let what = format!(
                    "val = {} of {} pictures leaves none to train on",
                    config.val,
                    by_picture.len()
                );
                return Err(DataError::choice(
                    NAME,
                    what,
                    "400 are a tenth of the published `train`",
                ));
            }
            let numbers: Vec<usize> = by_picture.keys().copied().collect();
            let order = Stream::new(config.seed, "easy-vqa/val", 0).permutation(numbers.len());
            let (val, train) = order.split_at(config.val);
            for &at in if split == "val" { train } else { val } {
                by_picture.remove(&numbers[at]);
            }
        }
        let (mut items, mut pictures) = (Vec::new(), Vec::new());
        for (number, questions) in by_picture {
            let id = format!("{part}-{number:04}");
            let group = "all".to_owned();
            items.push(Item { depicts: id.clone(), id, group, captions: vec![], questions });
            pictures.push(Picture::File(dir.join("images").join(format!("{number}.png"))));
        }
        if items.is_empty() {
            return Err(missing(format!("{} holds no question", path.display())));
        }
        let sums = sums(&pictures.iter().collect::<Vec<_>>())?;
        Ok(Self { name: format!("{NAME}:{split}"), items, pictures, sums })
    }
}

impl Dataset for EasyVqa {
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
