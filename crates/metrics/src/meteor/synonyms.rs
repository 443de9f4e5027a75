//! Synonym sets of WordNet.

use std::collections::HashMap;

use super::error::MeteorError;
use super::java;

/// The tables `english.exceptions` and `english.synsets` of the jar, in memory.
#[derive(Default)]
pub struct Synonyms {
    /// Base forms of irregular forms.
    bases: HashMap<Box<str>, Vec<Box<str>>>,
    /// Synonym sets of a base form.
    sets: HashMap<Box<str>, Box<[u32]>>,
}

/// Endings of regular forms and what replaces them, in the order in which they are tried.
const ENDINGS: [(&str, &str); 20] = [
    ("s", ""),
    ("ses", "s"),
    ("xes", "x"),
    ("zes", "z"),
    ("ches", "ch"),
    ("shes", "sh"),
    ("men", "man"),
    ("ies", "y"),
    ("s", ""),
    ("ies", "y"),
    ("es", "e"),
    ("es", ""),
    ("ed", "e"),
    ("ed", ""),
    ("ing", "e"),
    ("ing", ""),
    ("er", ""),
    ("est", ""),
    ("er", "e"),
    ("est", "e"),
];

impl Synonyms {
    /// Reads both tables: pairs of lines, a key and what belongs to it.
    pub fn read(exceptions: &str, synsets: &str) -> Result<Self, MeteorError> {
        let mut synonyms = Self::default();
        for (base, forms) in pairs(exceptions) {
            for form in java::tokens(forms) {
                synonyms.bases.entry(form.into()).or_default().push(base.into());
            }
        }
        for (at, (word, numbers)) in pairs(synsets).enumerate() {
            let numbers: Result<Vec<u32>, _> = java::tokens(numbers).map(str::parse).collect();
            let numbers = numbers.map_err(|error| MeteorError::Line {
                table: "synonym/english.synsets".to_owned(),
                line: 2 * at + 2,
                reason: error.to_string(),
            })?;
            synonyms.sets.insert(word.into(), numbers.into());
        }
        Ok(synonyms)
    }

    /// The synonym sets of a word and of its base form or forms, sorted.
    pub fn sets(&self, word: &str) -> Box<[u32]> {
        let mut all = self.of(word).to_vec();
        match self.bases.get(word) {
            Some(bases) => bases.iter().for_each(|base| all.extend(self.of(base))),
            None => all.extend(self.of(&self.base(word))),
        }
        all.sort_unstable();
        all.dedup();
        all.into()
    }

    fn of(&self, word: &str) -> &[u32] {
        self.sets.get(word).map_or(&[], |sets| sets)
    }

    /// The first known word that another ending gives; none leads to the empty word.
    fn base(&self, word: &str) -> String {
        if word.ends_with("ss") || word.encode_utf16().count() <= 2 {
            return word.to_owned();
        }
        let candidates = ENDINGS
            .iter()
            .filter_map(|(ending, by)| Some(format!("{}{by}", word.strip_suffix(ending)?)));
        candidates
            .into_iter()
            .find(|candidate| self.sets.contains_key(candidate.as_str()))
            .unwrap_or_default()
    }
}

fn pairs(table: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut lines = table.lines();
    std::iter::from_fn(move || Some((lines.next()?, lines.next()?)))
}
