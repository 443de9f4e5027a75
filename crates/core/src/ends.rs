//! Token ids that end a text.

use serde::{Deserialize, Serialize};

/// Largest number of ids that end a text. Published chat models have three.
const MOST: usize = 16;

/// The ids that end a text, at least one. A model is trained with the first; in generation each of
/// them ends the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "OneOrMany", into = "OneOrMany")]
pub struct Ends {
    ids: [u32; MOST],
    count: usize,
}

/// An id, or a list of ids: files have either.
#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "wanted a token id, or a list of token ids")]
enum OneOrMany {
    One(u32),
    Many(Vec<u32>),
}

impl Ends {
    /// Creates a single end.
    #[must_use]
    pub const fn one(id: u32) -> Self {
        Self { ids: [id; MOST], count: 1 }
    }

    /// Creates several ends; an id that is given twice counts once.
    ///
    /// # Errors
    /// If there are none or too many.
    pub fn new(ids: &[u32]) -> Result<Self, String> {
        let Some(&first) = ids.first() else {
            return Err("is an empty list; a text needs an end".to_owned());
        };
        let mut ends = Self::one(first);
        for &id in ids {
            if ends.contains(id) {
                continue;
            }
            let Some(slot) = ends.ids.get_mut(ends.count) else {
                return Err(format!("has more than {MOST} ends"));
            };
            *slot = id;
            ends.count += 1;
        }
        Ok(ends)
    }

    /// Returns the end that a model is trained with.
    #[must_use]
    pub const fn first(&self) -> u32 {
        self.ids[0]
    }

    /// Returns `true` if `id` ends a text.
    #[must_use]
    pub fn contains(&self, id: u32) -> bool {
        self.ids().contains(&id)
    }

    /// Returns all ids, in the order of the file.
    #[must_use]
    pub fn ids(&self) -> &[u32] {
        &self.ids[..self.count]
    }
}

impl TryFrom<OneOrMany> for Ends {
    type Error = String;

    fn try_from(ids: OneOrMany) -> Result<Self, String> {
        match ids {
            OneOrMany::One(id) => Ok(Self::one(id)),
            OneOrMany::Many(ids) => Self::new(&ids),
        }
    }
}

impl From<Ends> for OneOrMany {
    fn from(ends: Ends) -> Self {
        match ends.ids() {
            [one] => Self::One(*one),
            many => Self::Many(many.to_vec()),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_value_is_answered_with_what_is_wanted() {
        use serde::de::IntoDeserializer;
        use serde::de::value::Error;
        fn error<'a>(wrong: impl IntoDeserializer<'a, Error>) -> String {
            Ends::deserialize(wrong.into_deserializer()).unwrap_err().to_string()
        }
        for error in
            [error("x"), error(-1_i64), error(vec![201.0]), error(true), error(1_u64 << 32)]
        {
            assert_eq!(error, "wanted a token id, or a list of token ids");
        }
    }

    #[test]
    fn ends_are_counted_once_and_stay_in_order() {
        let ends = Ends::new(&[201, 178, 201]).unwrap();
        assert_eq!((ends.ids(), ends.first()), (&[201, 178][..], 201));
        assert!(ends.contains(178) && !ends.contains(0));
        assert!(Ends::new(&[]).is_err());
        assert!(Ends::new(&(0..17).collect::<Vec<u32>>()).is_err());
        assert_eq!(Ends::new(&[7, 7]), Ok(Ends::one(7)), "repeated ids leave no trace");
    }
}
