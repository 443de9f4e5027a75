//! Everything that is wrong with a split on disk, counted.

use super::config::PublishedConfig;
use super::fault::{Counted, Fault, Faults, Finding};
use super::load::{Loaded, load};
use super::pictures::header;
use super::sums::{md5, sha256};
use crate::DataError;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Pictures between two calls of `progress`.
const STEP: usize = 512;

/// What to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckOptions {
    /// How many examples to keep of each fault.
    pub examples: usize,
    /// Decode every picture; otherwise only headers are read, which does not notice a file that is cut off.
    pub decode: bool,
}

impl Default for CheckOptions {
    fn default() -> Self {
        Self { examples: 5, decode: false }
    }
}

/// What a split holds and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The split.
    pub split: String,
    /// Pictures that the annotations name.
    pub images: u64,
    /// Captions, empty ones included.
    pub captions: u64,
    /// Questions.
    pub questions: u64,
    /// Answers to all questions.
    pub answers: u64,
    /// Items by group.
    pub groups: BTreeMap<String, u64>,
    /// Annotation files whose stated digest was compared.
    pub sums_compared: u64,
    /// Whether every picture was decoded, not only its header read.
    pub decoded: bool,
    /// Faults that were found; a fault that is not here was not.
    pub findings: BTreeMap<Fault, Finding>,
}

impl Check {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// How often a fault was found.
    #[must_use]
    pub fn count(&self, fault: Fault) -> u64 {
        self.findings.get(&fault).map_or(0, |finding| finding.count)
    }
}

/// Reads the annotations of a split and looks at all its pictures. `progress` is called with the number of pictures
/// done and to do. What follows a parse error in a file is not read: other counts are then too small, and annotations of
/// what is missing are orphans.
///
/// # Errors
/// If there is no such split or no root, the configuration is wrong, or an annotation file that is there cannot be read.
pub fn check(
    config: &PublishedConfig,
    root: &Path,
    split: &str,
    options: CheckOptions,
    progress: &dyn Fn(u64, u64),
) -> Result<Check, DataError> {
    let mut faults = Counted { most: options.examples, findings: BTreeMap::new() };
    let loaded = load(config, root, split, &mut faults)?;
    let questions = || loaded.items.iter().flat_map(|item| &item.questions);
    let mut report = Check {
        split: split.to_owned(),
        images: loaded.items.len() as u64,
        captions: loaded.captions,
        questions: questions().count() as u64,
        answers: questions().map(|question| question.answers.len() as u64).sum(),
        decoded: options.decode,
        ..Check::default()
    };
    for item in &loaded.items {
        // Not `entry`: most items are of the same few groups.
        match report.groups.get_mut(&item.group) {
            Some(count) => *count += 1,
            None => drop(report.groups.insert(item.group.clone(), 1)),
        }
    }
    report.sums_compared = sums(config, root, split, &mut faults)?;
    sizes(config, split, &report, &mut faults)?;
    pictures(&loaded, options, progress, &mut faults)?;
    report.findings = faults.findings;
    Ok(report)
}

/// Compares the digests that the card states for files of the split; says how many.
fn sums(config: &PublishedConfig, root: &Path, split: &str, faults: &mut Counted) -> Result<u64, DataError> {
    let parts = config.parts(split)?;
    let files: BTreeSet<&String> = parts.iter().flat_map(|part| part.files.iter().chain(&part.answers)).collect();
    type Sum = fn(&Path) -> Result<String, DataError>;
    let kinds = [("MD5", &config.md5, md5 as Sum), ("SHA-256", &config.sha256, sha256 as Sum)];
    let stated = kinds.iter().flat_map(|(kind, stated, sum)| {
        files.iter().filter_map(move |file| Some((*kind, root.join(file), stated.get(*file)?, *sum)))
    });
    let stated: Vec<_> = stated.filter(|(_, path, ..)| path.is_file()).collect();
    let found: Result<Vec<String>, DataError> = stated.par_iter().map(|(_, path, _, sum)| sum(path)).collect();
    for ((kind, path, stated, _), found) in stated.iter().zip(found?) {
        if **stated != found {
            faults.found(Fault::WrongSum, &|| DataError::Annotation {
                path: path.clone(),
                what: format!("the {kind} is {found}, not {stated}"),
                hint: format!("get the file again{}", config.at_home()),
            })?;
        }
    }
    Ok(stated.len() as u64)
}

fn sizes(config: &PublishedConfig, name: &str, report: &Check, faults: &mut Counted) -> Result<(), DataError> {
    let Some(split) = config.splits.get(name) else { return Ok(()) };
    let sizes = [
        ("pictures", report.images, split.images),
        ("captions", report.captions, split.captions),
        ("questions", report.questions, split.questions),
    ];
    for (what, here, published) in sizes {
        if let Some(published) = published.filter(|&published| published != here) {
            faults.found(Fault::WrongSize, &|| {
                DataError::published(
                    format!("the split '{name}' has {here} {what}, {published} are published"),
                    "compare with the other findings, or correct the card if this is another edition",
                )
            })?;
        }
    }
    Ok(())
}

fn pictures(
    loaded: &Loaded,
    options: CheckOptions,
    progress: &dyn Fn(u64, u64),
    faults: &mut Counted,
) -> Result<(), DataError> {
    let total = loaded.items.len();
    progress(0, total as u64);
    for (step, items) in loaded.items.chunks(STEP).enumerate() {
        let look = |(at, item): (usize, &crate::Item)| -> Option<(Fault, DataError)> {
            let index = step * STEP + at;
            let path = match loaded.pictures.find(index, &item.shows) {
                Ok(path) => path,
                Err(error) => return Some((Fault::MissingImage, error)),
            };
            let seen = match options.decode {
                true => loaded.pictures.decode(index, &item.shows).map(|_| ()),
                false => header(&path),
            };
            seen.err().map(|error| (Fault::UnreadableImage, error))
        };
        let found: Vec<(Fault, DataError)> = items.par_iter().enumerate().filter_map(look).collect();
        for (fault, error) in found {
            let text = error.to_string();
            let finding = faults.findings.entry(fault).or_default();
            finding.count += 1;
            if finding.examples.len() < options.examples {
                finding.examples.push(text);
            }
        }
        progress((step * STEP + items.len()) as u64, total as u64);
    }
    Ok(())
}
