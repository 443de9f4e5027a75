//! How a picture is called whose annotation has a number only.

use serde::{Deserialize, Serialize};
use std::path::{Component, Path};

/// A pattern such as `val2014/COCO_val2014_{id:012}.jpg`: `{id}` is the id as it stands, `{id:012}` the id with zeros in
/// front up to 12 digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageName {
    before: String,
    after: String,
    digits: usize,
    text: String,
}

impl TryFrom<String> for ImageName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let fail = || format!("'{text}' is no image name: write {{id}} or {{id:012}} once, as in `{{id}}.jpg`");
        let (before, rest) = text.split_once("{id").ok_or_else(fail)?;
        let (form, after) = rest.split_once('}').ok_or_else(fail)?;
        let digits = match form.strip_prefix(":0") {
            Some(digits) => digits.parse().ok().filter(|digits| (1..=32).contains(digits)).ok_or_else(fail)?,
            None if form.is_empty() => 0,
            None => return Err(fail()),
        };
        if before.contains(['{', '}']) || after.contains(['{', '}']) {
            return Err(fail());
        }
        Ok(Self { before: before.to_owned(), after: after.to_owned(), digits, text })
    }
}

impl From<ImageName> for String {
    fn from(name: ImageName) -> Self {
        name.text
    }
}

impl ImageName {
    /// The name of the picture `id`.
    #[must_use]
    pub fn of(&self, id: &str) -> String {
        format!("{}{id:0>width$}{}", self.before, self.after, width = self.digits)
    }
}

/// Whether a path of an annotation file stays in its folder and is written in the one way that makes it an identity.
pub(super) fn is_plain(path: &str) -> bool {
    !path.is_empty()
        && !path.contains(['\0', '\n', '\r'])
        && !path.contains("//")
        && !path.contains("/./")
        && !path.ends_with("/.")
        && !path.ends_with('/')
        && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}

/// The number of a COCO picture: the last `_` part of its file's name, as LAVIS reads it. Only of names that begin as
/// COCO's do: `000_12.jpg` of a crawl is no picture 12.
pub(super) fn coco_id(path: &str) -> Option<u64> {
    let name = path.rsplit('/').next()?.strip_prefix("COCO_")?;
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let digits = stem.rsplit('_').next()?;
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
}
