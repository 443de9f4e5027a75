//! Settings of a published data set in its card: for each split the format, the files and the
//! folders of pictures.

use super::ImageName;
use crate::DataError;
use crate::root::{data_root, variable};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The format of annotation files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnnotationFormat {
    /// COCO's own `captions_*.json`: `images` and `annotations`.
    CocoCaptions,
    /// Karpathy's `dataset_coco.json` and `dataset_flickr30k.json`, with the split in each row.
    Karpathy,
    /// LAVIS: a list of `{image, caption}`; rows of one picture are put together.
    LavisCaptions,
    /// NoCaps' own files: COCO's form with a `domain`, which becomes [`crate::Item::group`].
    Nocaps,
    /// VQAv2's and OK-VQA's own question and annotation files.
    Vqa,
    /// LAVIS: a list of `{image, question, question_id, answer}` with any number of answers.
    LavisVqa,
    /// GQA's own files: an object of questions by id.
    Gqa,
    /// LAVIS: as `lavis-vqa`, with one answer.
    LavisGqa,
    /// `region_descriptions.json` of Visual Genome: every phrase is a caption.
    VisualGenomeRegions,
    /// `question_answers.json` of Visual Genome, or the list `vg_qa.json` of LAVIS.
    VisualGenomeQa,
}

/// Settings of one split of a published data set. All paths are relative to the root and written
/// with `/`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SplitConfig {
    /// Format of the files; left out only with `join`.
    pub format: Option<AnnotationFormat>,
    /// The annotation files (of `vqa`: the questions), read in this order.
    pub files: Vec<String>,
    /// Files with the answers, for `vqa`; none for a split whose answers are not published.
    pub answers: Vec<String>,
    /// Folders of pictures, tried in this order; `images` if left out. May leave the root
    /// (`../coco/images`).
    pub folders: Vec<String>,
    /// Pattern of the name of a picture, for formats that have only its id.
    pub image_name: Option<ImageName>,
    /// Splits of the file that belong to this one, for `karpathy`, such as `train` and `restval`.
    pub select: Vec<String>,
    /// Take `raw_answer` where there is one, for `vqa` (OK-VQA's `answer` is stemmed).
    pub raw_answers: bool,
    /// Leave out pictures that are not there instead of failing when they are read: for lists of
    /// web pictures.
    pub skip_missing: bool,
    /// Other splits that are put together to this one, instead of files.
    pub join: Vec<String>,
    /// Published number of pictures, for [`crate::check`].
    pub images: Option<u64>,
    /// Published number of captions.
    pub captions: Option<u64>,
    /// Published number of questions.
    pub questions: Option<u64>,
}

impl SplitConfig {
    /// Returns the folders of pictures under `root`.
    pub(super) fn folders(&self, root: &Path) -> Vec<PathBuf> {
        match self.folders.is_empty() {
            true => vec![root.join("images")],
            false => self.folders.iter().map(|folder| root.join(folder)).collect(),
        }
    }
}

/// The `[config]` of a card of kind `published`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PublishedConfig {
    /// Address at which the publisher offers the files.
    pub home: String,
    /// Folder of the files on this machine; `~/` is the home folder. See [`PublishedConfig::root`].
    pub root: Option<String>,
    /// MD5 of annotation files, by path.
    pub md5: BTreeMap<String, String>,
    /// SHA-256 of annotation files, by path.
    pub sha256: BTreeMap<String, String>,
    /// The splits by name.
    pub splits: BTreeMap<String, SplitConfig>,
}

impl PublishedConfig {
    /// Returns the folder of the data set `card_name`: `root` of the configuration, else the folder
    /// of that name in the folder that the environment variable `TOOLKIT_DATA` names.
    ///
    /// # Errors
    /// If neither is given, or `root` starts with `~/` and there is no home folder. Whether the
    /// folder is there is not looked at.
    pub fn root(&self, card_name: &str) -> Result<PathBuf, DataError> {
        self.root_with(card_name, variable)
    }

    pub(super) fn root_with(
        &self,
        card_name: &str,
        variable: impl Fn(&str) -> Option<PathBuf>,
    ) -> Result<PathBuf, DataError> {
        data_root(self.root.as_deref(), card_name, &self.at_home(), &variable)
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// The first split that is wrong, or a digest that is none or of a file that no split reads.
    pub fn check(&self) -> Result<(), DataError> {
        if self.splits.is_empty() {
            return Err(DataError::new(
                "the card has no split",
                "add [config.splits.train] with format and files",
            ));
        }
        for (name, split) in &self.splits {
            if let Some((what, hint)) = self.wrong(split) {
                return Err(DataError::new(format!("[config.splits.{name}]: {what}"), hint));
            }
        }
        for (sums, kind, length) in [(&self.md5, "md5", 32), (&self.sha256, "sha256", 64)] {
            for (file, sum) in sums {
                if sum.len() != length
                    || !sum.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
                {
                    let what = format!("[config.{kind}]: '{sum}' of {file} is no digest");
                    return Err(DataError::new(
                        what,
                        format!("{length} digits of 0 to 9 and a to f"),
                    ));
                }
                if !self
                    .splits
                    .values()
                    .any(|split| split.files.contains(file) || split.answers.contains(file))
                {
                    let what = format!("[config.{kind}]: no split reads {file}");
                    return Err(DataError::new(what, "write the path as in `files` or `answers`"));
                }
            }
        }
        Ok(())
    }

    fn wrong(&self, split: &SplitConfig) -> Option<(String, String)> {
        let wrong = |what: String, hint: &str| Some((what, hint.to_owned()));
        let Some(format) = split.format else {
            if split.join.is_empty() {
                return wrong(
                    "no `format`".to_owned(),
                    "name a format and `files`, or splits to `join`",
                );
            }
            let own = SplitConfig {
                join: split.join.clone(),
                images: split.images,
                captions: split.captions,
                questions: split.questions,
                ..SplitConfig::default()
            };
            if *split != own {
                return wrong(
                    "a joined split has files of its own".to_owned(),
                    "leave only `join` and the sizes",
                );
            }
            let bad =
                |name: &&String| self.splits.get(*name).is_none_or(|other| other.format.is_none());
            return split.join.iter().find(bad).and_then(|name| {
                wrong(
                    format!("'{name}' cannot be joined"),
                    "join splits of this card that have files of their own",
                )
            });
        };
        let keys = [
            (!split.join.is_empty(), false, "join"),
            (!split.answers.is_empty(), format == AnnotationFormat::Vqa, "answers"),
            (split.raw_answers, format == AnnotationFormat::Vqa, "raw_answers"),
            (!split.select.is_empty(), format == AnnotationFormat::Karpathy, "select"),
            (split.image_name.is_some(), needs_name(format) || may_have_name(format), "image_name"),
        ];
        if let Some((_, _, key)) = keys.iter().find(|(given, allowed, _)| *given && !allowed) {
            return wrong(format!("`{key}` means nothing for this format"), "leave it out");
        }
        if needs_name(format) && split.image_name.is_none() {
            return wrong(
                "no `image_name`".to_owned(),
                "say how a picture is called, such as `{id}.jpg`",
            );
        }
        if split.files.is_empty() {
            return wrong(
                "no `files`".to_owned(),
                "name the annotation files, relative to the root",
            );
        }
        None
    }

    /// Returns the splits with files that the split `name` consists of.
    pub(super) fn parts(&self, name: &str) -> Result<Vec<&SplitConfig>, DataError> {
        self.check()?;
        let split = self.splits.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.splits.keys().map(String::as_str).collect();
            DataError::new(
                format!("no split '{name}'"),
                format!("the splits are {}", known.join(", ")),
            )
        })?;
        match split.join.as_slice() {
            [] => Ok(vec![split]),
            joined => Ok(joined.iter().filter_map(|name| self.splits.get(name)).collect()),
        }
    }

    /// Returns ` (published at URL)` if the card has an address, else nothing.
    pub(super) fn at_home(&self) -> String {
        if self.home.is_empty() { String::new() } else { format!(" (published at {})", self.home) }
    }
}

/// Formats whose annotations have the id of a picture only.
fn needs_name(format: AnnotationFormat) -> bool {
    matches!(
        format,
        AnnotationFormat::Vqa | AnnotationFormat::Gqa | AnnotationFormat::VisualGenomeRegions
    )
}

/// Formats whose rows have a path or only an id.
fn may_have_name(format: AnnotationFormat) -> bool {
    matches!(
        format,
        AnnotationFormat::VisualGenomeQa
            | AnnotationFormat::LavisCaptions
            | AnnotationFormat::LavisVqa
            | AnnotationFormat::LavisGqa
    )
}
