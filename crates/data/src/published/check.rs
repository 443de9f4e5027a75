//! Everything that is wrong with a split on disk, counted.

use super::config::PublishedConfig;
use super::load::{Loaded, load};
use super::pictures::header;
use super::sums::{md5, sha256};
use crate::lists::fault::{Counted, EXAMPLES, Fault, FaultSink, Findings};
use crate::{Alpha, DataError, Item};
use rayon::prelude::*;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use toolkit_system::problem::Problem;

/// Pictures between two calls of `progress`.
const STEP: usize = 512;
const EMPTY: &str = "are `files`, `folders` and `select` of the card right?";

/// Options of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckOptions {
    /// Examples to keep of each fault.
    pub examples: usize,
    /// Decode every picture; otherwise only headers are read, which does not notice a file that is
    /// cut off.
    pub decode: bool,
}

impl Default for CheckOptions {
    fn default() -> Self {
        Self { examples: EXAMPLES, decode: false }
    }
}

/// Counts and faults of a split.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The split.
    pub split: String,
    /// Pictures that the annotations name.
    pub images: u64,
    /// Captions. Of a published data set with empty ones, as publishers count; of a folder without.
    pub captions: u64,
    /// Questions.
    pub questions: u64,
    /// Answers to all questions.
    pub answers: u64,
    /// Items by group.
    pub groups: BTreeMap<String, u64>,
    /// Annotation files whose stated digest was compared.
    pub sums_compared: u64,
    /// `true` if every picture was decoded, not only its header read.
    pub decoded: bool,
    /// Faults that were found; a fault that is not here was not.
    pub findings: Findings,
    /// Things that were read in another way than they are written, or passed over without loss; one
    /// line each.
    pub notes: Vec<String>,
}

impl Check {
    /// Returns `true` if nothing is wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// Counts items, questions and answers.
    pub(crate) fn count_items(&mut self, items: &[Item]) {
        let questions = || items.iter().flat_map(|item| &item.questions);
        self.images = items.len() as u64;
        self.questions = questions().count() as u64;
        self.answers = questions().map(|question| question.answers.len() as u64).sum();
        for item in items {
            // Not `entry`: most items are of the same few groups.
            match self.groups.get_mut(&item.group) {
                Some(count) => *count += 1,
                None => drop(self.groups.insert(item.group.clone(), 1)),
            }
        }
    }

    /// Returns `true` if there is a text at all.
    #[must_use]
    pub fn has_text(&self) -> bool {
        self.captions + self.questions > 0
    }

    /// Returns the number of times that a fault was found.
    #[must_use]
    pub fn count(&self, fault: Fault) -> u64 {
        self.findings.get(&fault).map_or(0, |finding| finding.count)
    }
}

/// Reads the annotations of a split and looks at all its pictures. `progress` is called with the
/// number of pictures done and to do. What follows a parse error in a file is not read: other
/// counts are then too small, and annotations of what is missing are orphans.
///
/// # Errors
/// If there is no such split or no root, the configuration is wrong, or an annotation file that is
/// there cannot be read.
pub fn check(
    config: &PublishedConfig,
    root: &Path,
    split: &str,
    options: CheckOptions,
    progress: &dyn Fn(u64, u64),
) -> Result<Check, DataError> {
    let mut faults = Counted { most: options.examples, findings: Findings::new() };
    let loaded = load(config, root, split, &mut faults)?;
    let mut report = Check {
        split: split.to_owned(),
        captions: loaded.captions,
        decoded: options.decode,
        ..Check::default()
    };
    report.count_items(&loaded.items);
    report.sums_compared = sums(config, root, split, &mut faults)?;
    sizes(config, split, &report, &mut faults)?;
    pictures(&loaded, options, progress, &mut faults);
    if loaded.items.is_empty()
        && faults.findings.is_empty()
        && config.splits.get(split).is_none_or(|s| s.images != Some(0))
    {
        faults.add(
            Fault::Empty,
            &DataError::new(format!("the split '{split}' has no picture"), EMPTY),
        );
    }
    report.findings = faults.findings;
    report.notes = loaded.remarks;
    Ok(report)
}

/// Compares the digests that the card states for files of the split; says how many.
fn sums(
    config: &PublishedConfig,
    root: &Path,
    split: &str,
    faults: &mut Counted,
) -> Result<u64, DataError> {
    let parts = config.parts(split)?;
    let files: BTreeSet<&String> =
        parts.iter().flat_map(|part| part.files.iter().chain(&part.answers)).collect();
    type Sum = fn(&Path) -> Result<String, DataError>;
    let kinds = [("MD5", &config.md5, md5 as Sum), ("SHA-256", &config.sha256, sha256 as Sum)];
    let stated = kinds.iter().flat_map(|(kind, stated, sum)| {
        files
            .iter()
            .filter_map(move |file| Some((*kind, root.join(file), stated.get(*file)?, *sum)))
    });
    let stated: Vec<_> = stated.filter(|(_, path, ..)| path.is_file()).collect();
    let found: Result<Vec<String>, DataError> =
        stated.par_iter().map(|(_, path, _, sum)| sum(path)).collect();
    for ((kind, path, stated, _), found) in stated.iter().zip(found?) {
        if **stated != found {
            faults.report(Fault::WrongSum, &|| {
                let problem = Problem::new(format_args!("the {kind} is {found}, not {stated}"))
                    .at(path.display())
                    .hint(format_args!("get the file again{}", config.at_home()));
                DataError::Malformed(problem)
            })?;
        }
    }
    Ok(stated.len() as u64)
}

fn sizes(
    config: &PublishedConfig,
    name: &str,
    report: &Check,
    faults: &mut Counted,
) -> Result<(), DataError> {
    let Some(split) = config.splits.get(name) else { return Ok(()) };
    let sizes = [
        ("pictures", report.images, split.images),
        ("captions", report.captions, split.captions),
        ("questions", report.questions, split.questions),
    ];
    for (what, here, published) in sizes {
        if let Some(published) = published.filter(|&published| published != here) {
            faults.report(Fault::WrongSize, &|| {
                DataError::new(
                    format!("the split '{name}' has {here} {what}, {published} are published"),
                    "compare with the other findings, or correct the card if this is another \
                    edition",
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
) {
    let look = |index: usize| {
        let name = &loaded.items[index].depicts;
        let path = match loaded.pictures.find(index, name) {
            Ok(path) => path,
            Err(error) => return Some((Fault::MissingImage, error)),
        };
        let seen = match options.decode {
            true => loaded.pictures.decode(index, name, Alpha::OnWhite).map(|_| ()),
            false => header(&path),
        };
        seen.err().map(|error| (Fault::UnreadableImage, error))
    };
    look_at(loaded.items.len(), progress, &look, &mut |fault, error| faults.add(fault, &error));
}

/// Looks at `total` pictures in parallel, and tells faults in their order.
pub(crate) fn look_at(
    total: usize,
    progress: &dyn Fn(u64, u64),
    look: &(dyn Fn(usize) -> Option<(Fault, DataError)> + Sync),
    tell: &mut dyn FnMut(Fault, DataError),
) {
    progress(0, total as u64);
    for first in (0..total).step_by(STEP) {
        let end = total.min(first + STEP);
        let found: Vec<(Fault, DataError)> =
            (first..end).into_par_iter().filter_map(look).collect();
        for (fault, error) in found {
            tell(fault, error);
        }
        progress(end as u64, total as u64);
    }
}
