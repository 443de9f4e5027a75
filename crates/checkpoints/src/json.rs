//! Sparse JSON configurations: a value that is absent or null has a default, any other must have
//! the right type.

use crate::CheckpointError;
use crate::input::is_there;
use serde_json::Value;
use std::path::Path;
use toolkit_core::Ends;
use toolkit_system::encoding::{Encoding, UTF16, encoding};

// Far above every published model, and low enough that costs do not overflow and a claim alone
// fills no memory.
const MOST: usize = 1 << 20;
const MOST_LAYERS: usize = 1 << 10;
const MOST_PIXELS: usize = 1 << 14;

/// An object of a JSON file.
#[derive(Clone, Debug)]
pub(crate) struct Json {
    value: Value,
    file: String,
    at: String,
}

impl Json {
    /// Largest side of a picture in pixels.
    pub(crate) const MOST_PIXELS: usize = MOST_PIXELS;

    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Self, CheckpointError> {
        let bytes = toolkit_system::input::read(path)
            .map_err(|error| CheckpointError::io("read", path, error))?;
        let place = path.display().to_string();
        let bytes = match encoding(&bytes) {
            Encoding::Utf8 { mark } => &bytes[mark..],
            Encoding::Utf16 => return Err(CheckpointError::new(UTF16.0, place, UTF16.1)),
        };
        let value = serde_json::from_slice(bytes).map_err(|error| match not_finite(bytes) {
            // Python writes such numbers, and reads them; JSON has none.
            Some((key, number)) => CheckpointError::new(
                format!("`{key}` has {number}, which is no finite number"),
                &place,
                "give a number",
            ),
            None => CheckpointError::new(
                format!("this is no JSON: {error}"),
                &place,
                "fetch the file again",
            ),
        })?;
        Ok(Self { value, file: path.display().to_string(), at: String::new() })
    }

    /// Reads a file, if it is there.
    pub(crate) fn read_if_there(path: &Path) -> Result<Option<Self>, CheckpointError> {
        if is_there(path)? { Self::read(path).map(Some) } else { Ok(None) }
    }

    /// Reads a file, or returns an empty object if it is not there.
    pub(crate) fn read_or_empty(path: &Path) -> Result<Self, CheckpointError> {
        let empty =
            || Self { value: Value::Null, file: path.display().to_string(), at: String::new() };
        Ok(Self::read_if_there(path)?.unwrap_or_else(empty))
    }

    /// Returns the name of the file, for messages.
    pub(crate) fn file(&self) -> &str {
        &self.file
    }

    pub(crate) fn value(&self) -> &Value {
        &self.value
    }

    /// Returns an object inside this one; an empty one if it is not there.
    pub(crate) fn object(&self, key: &str) -> Self {
        let value = self.value.get(key).cloned().unwrap_or(Value::Null);
        Self { value, file: self.file.clone(), at: format!("{}{key}.", self.at) }
    }

    /// Returns an object inside this one, if it is there.
    pub(crate) fn part(&self, key: &str) -> Result<Option<Self>, CheckpointError> {
        let there = self.typed(key, "an object", |value| value.as_object().map(|_| ()))?;
        Ok(there.map(|()| self.object(key)))
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.value.get(key).is_some_and(|value| !value.is_null())
    }

    fn typed<T>(
        &self,
        key: &str,
        wanted: &str,
        get: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<T>, CheckpointError> {
        match self.value.get(key).filter(|value| !value.is_null()) {
            None => Ok(None),
            Some(value) => get(value)
                .map(Some)
                .ok_or_else(|| self.wrong(key, format!("is {value}, not {wanted}"))),
        }
    }

    /// Creates an error about a key.
    pub(crate) fn wrong(&self, key: &str, what: impl std::fmt::Display) -> CheckpointError {
        let hint = "compare the file with the published one";
        CheckpointError::new(format!("`{}{key}` {what}", self.at), self.file.clone(), hint)
    }

    /// Creates an error about this object as a whole.
    pub(crate) fn wrong_whole(&self, what: impl std::fmt::Display) -> CheckpointError {
        let name = if self.at.is_empty() { "the file" } else { self.at.trim_end_matches('.') };
        CheckpointError::new(
            format!("{name} {what}"),
            self.file.clone(),
            "compare the file with the published one",
        )
    }

    pub(crate) fn count(&self, key: &str) -> Result<Option<usize>, CheckpointError> {
        self.count_to(key, MOST)
    }

    /// Reads the number of repetitions of a block.
    pub(crate) fn layers(&self, key: &str) -> Result<Option<usize>, CheckpointError> {
        self.count_to(key, MOST_LAYERS)
    }

    /// Reads the side of a picture in pixels.
    pub(crate) fn side(&self, key: &str) -> Result<Option<usize>, CheckpointError> {
        self.count_to(key, MOST_PIXELS)
    }

    fn count_to(&self, key: &str, most: usize) -> Result<Option<usize>, CheckpointError> {
        let fits = |value: &Value| {
            value.as_u64().and_then(|n| usize::try_from(n).ok()).filter(|n| *n <= most)
        };
        self.typed(key, &format!("a count up to {most}"), fits)
    }

    pub(crate) fn number(&self, key: &str) -> Result<Option<f64>, CheckpointError> {
        self.typed(key, "a number", Value::as_f64)
    }

    pub(crate) fn flag(&self, key: &str) -> Result<Option<bool>, CheckpointError> {
        self.typed(key, "true or false", Value::as_bool)
    }

    pub(crate) fn text(&self, key: &str) -> Result<Option<String>, CheckpointError> {
        self.typed(key, "a text", |value| value.as_str().map(str::to_owned))
    }

    /// Reads a token id, the first one of a list. In older files -1 stands for none.
    pub(crate) fn token(&self, key: &str) -> Result<Option<u32>, CheckpointError> {
        if self.value.get(key).and_then(Value::as_i64) == Some(-1) {
            return Ok(None);
        }
        let one = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
        self.typed(key, "a token id", |value| {
            one(value).or_else(|| value.as_array()?.first().and_then(one))
        })
    }

    /// Reads the ids that end a text: one or a list.
    pub(crate) fn ends(&self, key: &str) -> Result<Option<Ends>, CheckpointError> {
        self.named(key)
    }

    /// Reads three numbers, one for each channel; a single number is for all.
    pub(crate) fn channels(&self, key: &str) -> Result<Option<[f32; 3]>, CheckpointError> {
        let number = |value: &Value| value.as_f64().map(|n| n as f32).filter(|n| n.is_finite());
        self.typed(key, "three numbers", |value| match value.as_array() {
            None => number(value).map(|n| [n; 3]),
            Some(list) => list.iter().map(number).collect::<Option<Vec<f32>>>()?.try_into().ok(),
        })
    }

    /// Reads a value that serde knows by its name.
    pub(crate) fn named<T: serde::de::DeserializeOwned>(
        &self,
        key: &str,
    ) -> Result<Option<T>, CheckpointError> {
        let Some(value) = self.value.get(key).filter(|value| !value.is_null()) else {
            return Ok(None);
        };
        serde_json::from_value(value.clone())
            .map(Some)
            .map_err(|error| self.wrong(key, format!("is {value}: {error}")))
    }
}

/// Finds the first number of a text that is not finite, and its key.
fn not_finite(json: &[u8]) -> Option<(String, String)> {
    let (text, mut key) = (std::str::from_utf8(json).ok()?, "");
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if first == '"' {
            let escaped =
                |at: usize| rest[..at].bytes().rev().take_while(|&b| b == b'\\').count() % 2 == 1;
            let end =
                rest.match_indices('"').map(|(at, _)| at).find(|&at| at > 0 && !escaped(at))?;
            if rest[end + 1..].trim_start().starts_with(':') {
                key = &rest[1..end];
            }
            rest = &rest[end + 1..];
            continue;
        }
        let word = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        let end = rest.find(|c| !word(c)).unwrap_or(rest.len()).max(first.len_utf8());
        if rest[..end].parse().is_ok_and(|number: f64| !number.is_finite()) {
            return Some((key.to_owned(), rest[..end].to_owned()));
        }
        rest = &rest[end..];
    }
    None
}
