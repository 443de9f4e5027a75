//! Faults of a shard, kept in the index: they are told at every start, not only at the first.

use crate::lists::fault::{EXAMPLES, Fault};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Display;

/// Endings that are counted apart; a hostile shard could have any number of them.
const ENDINGS: usize = 20;

/// A fault of a shard.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ShardFault {
    /// Number of times.
    pub count: u64,
    /// The first ones.
    pub examples: Vec<Note>,
}

/// One occurrence of a fault.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    /// Fault in words.
    pub what: String,
    /// Member of the shard; empty if it is the shard itself.
    pub member: String,
    /// Advice.
    pub hint: String,
}

/// Faults of a shard, and what was passed over without loss.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Faults {
    /// Faults by kind.
    pub found: BTreeMap<Fault, ShardFault>,
    /// Members that are no picture and no text, by their ending.
    pub passed: BTreeMap<String, u64>,
}

impl Faults {
    /// Counts a fault of `member`.
    pub fn add(&mut self, fault: Fault, member: &str, what: impl Display, hint: &str) {
        let found = self.found.entry(fault).or_default();
        found.count += 1;
        if found.examples.len() < EXAMPLES {
            let (what, member) = (what.to_string(), member.to_owned());
            found.examples.push(Note { what, member, hint: hint.to_owned() });
        }
    }

    /// Counts a member that is no picture and no text.
    pub fn pass(&mut self, ending: &str) {
        let known = self.passed.len() < ENDINGS || self.passed.contains_key(ending);
        let name = if known { ending } else { "others" };
        *self.passed.entry(name.to_owned()).or_default() += 1;
    }
}
