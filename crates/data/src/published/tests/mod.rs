//! Small files in every format, written by hand.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bad;
mod big;
mod captions;
mod cards;
mod checks;
mod questions;
mod random;

use super::*;
use crate::{DataError, Dataset, Fault};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const PNG: &[u8] = include_bytes!("../../../tests/fixtures/plain.png");
const JPG: &[u8] = include_bytes!("../../../tests/fixtures/plain.jpg");

/// A root with files, and the config of a card.
struct Disk {
    root: TempDir,
    config: PublishedConfig,
}

impl Disk {
    /// `splits` is what comes after `[config]` in a card.
    fn new(config: &str) -> Self {
        Self { root: TempDir::new().unwrap(), config: toml::from_str(config).unwrap() }
    }

    /// One split `train` that reads `a.json`; `more` is further keys.
    fn of(format: &str, more: &str) -> Self {
        Self::new(&format!(
            "home = \"https://example.org/data\"\n[splits.train]\nformat = \"{format}\"\nfiles = \
            [\"a.json\"]\n{more}"
        ))
    }

    fn path(&self, file: &str) -> PathBuf {
        self.root.path().join(file)
    }

    fn put(&self, file: &str, bytes: impl AsRef<[u8]>) -> &Self {
        let path = self.path(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
        self
    }

    fn open(&self) -> Published {
        Published::open(&self.config, self.root.path(), "train").unwrap()
    }

    /// The error of opening, with the root as ROOT.
    fn error(&self) -> String {
        let error =
            Published::open(&self.config, self.root.path(), "train").err().expect("it opened");
        self.shown(&error)
    }

    fn shown(&self, error: &DataError) -> String {
        let text = error.to_string().replace(&self.root.path().display().to_string(), "ROOT");
        assert!(!text.contains(char::is_control) && text.contains("hint: "), "{text:?}");
        text
    }

    fn check(&self) -> Check {
        check(&self.config, self.root.path(), "train", CheckOptions::default(), &|_, _| {}).unwrap()
    }
}

/// Id, path, group and captions of all items.
fn captions(data: &Published) -> Vec<(&str, &str, &str, Vec<&str>)> {
    data.items()
        .iter()
        .map(|item| {
            let captions = item.captions.iter().map(String::as_str).collect();
            (item.id.as_str(), item.depicts.as_str(), item.group.as_str(), captions)
        })
        .collect()
}

/// Item, id, text, answers, kind and answer type of all questions.
type Asked<'a> = (&'a str, u64, &'a str, Vec<&'a str>, &'a str, &'a str);

fn questions(data: &Published) -> Vec<Asked<'_>> {
    data.items()
        .iter()
        .flat_map(|item| item.questions.iter().map(move |question| (item, question)))
        .map(|(item, q)| {
            let answers = q.answers.iter().map(String::as_str).collect();
            (
                item.id.as_str(),
                q.id,
                q.text.as_str(),
                answers,
                q.kind.as_str(),
                q.answer_type.as_str(),
            )
        })
        .collect()
}
