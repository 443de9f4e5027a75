//! Names of pictures whose annotations have a number only.

use serde::{Deserialize, Serialize};

/// A pattern such as `val2014/COCO_val2014_{id:012}.jpg`: `{id}` is the id as it stands, `{id:012}`
/// the id with zeros in front up to 12 digits.
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
        let fail = || {
            format!(
                "'{text}' is no image name: write {{id}} or {{id:012}} once, as in `{{id}}.jpg`"
            )
        };
        let (before, rest) = text.split_once("{id").ok_or_else(fail)?;
        let (form, after) = rest.split_once('}').ok_or_else(fail)?;
        let digits = match form.strip_prefix(":0") {
            Some(digits) => {
                digits.parse().ok().filter(|digits| (1..=32).contains(digits)).ok_or_else(fail)?
            }
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
    /// Returns the name of the picture `id`.
    #[must_use]
    pub fn of(&self, id: &str) -> String {
        format!("{}{id:0>width$}{}", self.before, self.after, width = self.digits)
    }
}
