//! The split of a picture, which depends on its name and never on its file.
//!
//! Pictures with a caption in common, also from different sources, go together, so that no caption of `test`
//! was trained on; so do copies of one file under several names. The place of a group is a hash of
//! its name, so that it stays where it is when sources are added.

use super::SmallConfig;
use super::normal::normalise;
use super::pair::Pair;
use super::picture::Sum;
use std::collections::HashMap;
use toolkit_seed::key;

/// A split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Split {
    Train,
    Val,
    Test,
}

impl Split {
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "train" => Some(Self::Train),
            "val" => Some(Self::Val),
            "test" => Some(Self::Test),
            _ => None,
        }
    }
}

/// Returns the split of a normalised caption on its own.
fn of(config: &SmallConfig, caption: &str) -> Split {
    let hash = key(format!("{}/small/{caption}", config.seed).as_bytes());
    let at = (hash >> 11) as f64 / (1_u64 << 53) as f64;
    match at {
        at if at < config.test => Split::Test,
        at if at < config.test + config.val => Split::Val,
        _ => Split::Train,
    }
}

/// Returns the group that `at` belongs to (union-find with path halving).
fn root(parents: &mut [usize], mut at: usize) -> usize {
    while parents[at] != at {
        parents[at] = parents[parents[at]];
        at = parents[at];
    }
    at
}

/// Returns the split of every pair; `sums` are of its picture files.
pub(crate) fn splits(config: &SmallConfig, pairs: &[Pair], sums: &[Sum]) -> Vec<Split> {
    let mut parents: Vec<usize> = (0..pairs.len()).collect();
    let mut join = |at: usize, other: usize| {
        let (a, b) = (root(&mut parents, at), root(&mut parents, other));
        parents[a] = b;
    };
    let (mut by_text, mut by_sum) = (HashMap::new(), HashMap::new());
    for (at, (pair, sum)) in pairs.iter().zip(sums).enumerate() {
        for text in pair.captions.iter().chain([&pair.subject]) {
            join(at, *by_text.entry(normalise(text)).or_insert(at));
        }
        join(at, *by_sum.entry(sum).or_insert(at));
    }
    // A group is named by its smallest subject: nearly always the only one.
    let mut names: HashMap<usize, String> = HashMap::new();
    for (at, pair) in pairs.iter().enumerate() {
        let subject = normalise(&pair.subject);
        let name = names.entry(root(&mut parents, at)).or_insert_with(|| subject.clone());
        if subject < *name {
            *name = subject;
        }
    }
    (0..pairs.len()).map(|at| of(config, &names[&root(&mut parents, at)])).collect()
}
