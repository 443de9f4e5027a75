//! Levels before the names of some tensors of a file, told by the parameters that are missing
//! without them.

use super::WeightsError;
use super::listing::Listing;
use std::collections::{BTreeMap, BTreeSet};
use toolkit_core::params::Mismatch;
use toolkit_core::published::PublishedNames;
use toolkit_formats::Tensors;
use toolkit_system::problem::Problem;

/// Every name that parameters which were not found are published under, each with what errors call
/// them.
#[derive(Debug, Default)]
pub(super) struct Ways(BTreeMap<String, BTreeSet<String>>);

/// A level, and the tensors behind it with the parameters that they would be.
pub(super) struct Level {
    pub(super) name: String,
    pub(super) tensors: BTreeMap<String, BTreeSet<String>>,
}

impl Ways {
    /// Adds a parameter that was not found; errors call it `shown`.
    pub(super) fn add(&mut self, names: &PublishedNames, name: &str, shown: &str) {
        for recipe in names.recipes(name) {
            // Every module has a `weight`; by that name alone nothing is told.
            for way in recipe.names().filter(|way| !["weight", "bias"].contains(way)) {
                self.0.entry(way.to_owned()).or_default().insert(shown.to_owned());
            }
        }
    }

    /// The level that most of `tensors` have before a name that was looked for.
    pub(super) fn level<'a>(&self, tensors: impl Iterator<Item = &'a str>) -> Option<Level> {
        let mut levels: BTreeMap<&str, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
        for name in tensors {
            let mut cuts = name.match_indices('.').map(|(at, _)| name.split_at(at + 1));
            if let Some((level, shown)) =
                cuts.find_map(|(level, rest)| Some((level, self.0.get(rest)?)))
            {
                levels.entry(level).or_default().insert(name.to_owned(), shown.clone());
            }
        }
        let (name, tensors) = levels.into_iter().max_by_key(|(_, tensors)| tensors.len())?;
        Some(Level { name: name.to_owned(), tensors })
    }
}

/// The error that some names begin with a level and others do not, with what else does not fit.
pub(super) fn mixed(file: &Tensors, level: &str, rest: &Mismatch) -> WeightsError {
    let (all, with) =
        (file.names().count(), file.names().filter(|name| name.starts_with(level)).count());
    let mut what = match all - with {
        0 => format!("the names of all {all} tensors begin with `{level}`"),
        _ => format!(
            "the names of {with} of {all} tensors begin with `{level}`, those of the others do not"
        ),
    };
    if !rest.is_empty() {
        what = format!("{what}; besides, weights do not fit: {}", Listing(rest));
    }
    let hint =
        format!("take `{level}` off the names, or save the `state_dict()` of the model alone");
    Problem::new(what).at(file.path().display()).hint(hint).into()
}
