//! Reading: what is wrong is said with the file and the line or the id.

use crate::EvalError;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error, Visitor};
use std::collections::HashMap;
use std::fmt;
use std::path::Path;

/// An id of an image, question or annotation. Some tools write numbers as text, so `42` and `"42"` are the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(String);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for Id {
    /// A number where it is one, as in the official files.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.parse::<i64>() {
            Ok(number) => serializer.serialize_i64(number),
            Err(_) => serializer.serialize_str(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Id;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an id: a number or a text")
            }
            fn visit_u64<E: Error>(self, id: u64) -> Result<Id, E> {
                Ok(Id(id.to_string()))
            }
            fn visit_i64<E: Error>(self, id: i64) -> Result<Id, E> {
                Ok(Id(id.to_string()))
            }
            fn visit_str<E: Error>(self, id: &str) -> Result<Id, E> {
                Ok(Id(id.to_owned()))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// A JSON file of the form wanted.
pub(super) fn read<T: DeserializeOwned>(path: &Path, form: &str) -> Result<T, EvalError> {
    let place = path.display().to_string();
    let bytes = std::fs::read(path)
        .map_err(|error| EvalError::new(format!("cannot read the file: {error}"), &place, "check the path"))?;
    serde_json::from_slice(&bytes).map_err(|error| {
        let text = error.to_string();
        let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
        let place = format!("{place}:{}:{}", error.line(), error.column());
        EvalError::new(format!("not of the official form: {what}"), place, form)
    })
}

/// Where each id is. An id that comes twice is an error.
pub(super) fn index<'a>(
    what: &str,
    ids: impl Iterator<Item = &'a Id>,
    path: &Path,
    hint: &str,
) -> Result<HashMap<&'a Id, usize>, EvalError> {
    let mut at = HashMap::new();
    for (place, id) in ids.enumerate() {
        if let Some(before) = at.insert(id, place) {
            let what = format!("{what} {id} is there twice, as entries {before} and {place}");
            return Err(EvalError::new(what, path.display().to_string(), hint));
        }
    }
    Ok(at)
}
