//! Texts of a sample: `.json`, `.txt` and `.caption` beside its picture.

use crate::Question;
use crate::lists::keys::JUST_CAPTION;
use crate::lists::row::Row;
use crate::lists::several::{self, Notes};
use crate::lists::values::{CAPTIONS, texts};
use serde::{Deserialize, Serialize};
use toolkit_system::encoding::{Encoding, encoding};

/// The key of JSON under which `toolkit data pack` writes what webdataset has no name for.
pub(crate) const OWN_KEY: &str = "toolkit";

/// A rule by which captions are found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TextRule {
    /// Field of the JSON that has the captions; otherwise `caption` or `captions`, then the files of
    /// text.
    pub field: Option<String>,
    /// Column with the bytes of pictures; otherwise one with a usual name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
}

/// Texts of a sample.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Texts {
    /// Captions, blank ones left out.
    #[serde(rename = "c", default, skip_serializing_if = "Vec::is_empty")]
    pub captions: Vec<String>,
    /// Further fields of an item that was packed.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub own: Option<Own>,
}

impl Texts {
    /// Returns `true` if there is neither a caption nor a question.
    pub fn is_empty(&self) -> bool {
        self.captions.is_empty() && self.own.as_ref().is_none_or(|own| own.questions.is_empty())
    }
}

/// Fields of an item for which webdataset has no place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Own {
    /// [`crate::Item::id`] in the data set that was packed.
    pub id: String,
    /// [`crate::Item::depicts`].
    pub depicts: String,
    /// [`crate::Item::group`].
    pub group: String,
    /// [`crate::Item::questions`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub questions: Vec<Question>,
}

/// A kind of file with texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TextKind {
    /// `.json`, which is read first: img2dataset writes a caption whole there.
    Json,
    /// `.txt`.
    Txt,
    /// `.caption`.
    Caption,
}

impl TextKind {
    /// All kinds, in the order in which they are read.
    pub const ALL: [Self; 3] = [Self::Json, Self::Txt, Self::Caption];

    /// Returns the ending.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Txt => "txt",
            Self::Caption => "caption",
        }
    }

    /// Finds the kind of an ending in small letters.
    pub fn of(ending: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.ending() == ending)
    }

    /// Reads the texts of a file.
    ///
    /// # Errors
    /// If it is no UTF-8, no JSON where it should be, or the captions in it are none.
    pub fn read(self, bytes: &[u8], rule: &TextRule) -> Result<Texts, String> {
        let text = match encoding(bytes) {
            Encoding::Utf16 => return Err("it is UTF-16, not UTF-8".to_owned()),
            Encoding::Utf8 { mark } => std::str::from_utf8(&bytes[mark..]),
        };
        let text = text.map_err(|_| "it is not UTF-8".to_owned())?;
        match self {
            Self::Json => in_json(text.trim(), rule),
            _ if rule.field.is_some() => Ok(Texts::default()),
            _ => {
                let lines = text.lines().map(|line| line.trim().to_owned());
                Ok(Texts { captions: filled(lines), own: None })
            }
        }
    }
}

/// Reads JSON: an object with a caption or several, or a list of captions.
fn in_json(text: &str, rule: &TextRule) -> Result<Texts, String> {
    let bytes = text.as_bytes();
    if bytes.first() == Some(&b'[') {
        let found = match rule.field {
            None => texts("captions", bytes, &CAPTIONS)?,
            Some(_) => vec![],
        };
        return Ok(Texts { captions: filled(found.into_iter()), own: None });
    }
    let row = Row::parse(bytes)?;
    let found = match &rule.field {
        None => several::captions(&row, &[JUST_CAPTION], &mut Notes::new())?,
        Some(field) => {
            let found = row.first(&[field])?;
            found.map(|(_, value)| texts(field, value, &CAPTIONS)).transpose()?
        }
    };
    let own = row.first(&[OWN_KEY])?.map(|(key, value)| {
        serde_json::from_slice(value).map_err(|error| format!("`{key}`: {error}"))
    });
    let (own, found) = (own.transpose()?, found.unwrap_or_default());
    // An item that was packed comes back as it was.
    let captions = if own.is_some() { found } else { filled(found.into_iter()) };
    Ok(Texts { captions, own })
}

/// Leaves out blank texts.
fn filled(texts: impl Iterator<Item = String>) -> Vec<String> {
    texts.filter(|text| !text.trim().is_empty()).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn captions(kind: TextKind, bytes: &[u8], field: Option<&str>) -> Result<Vec<String>, String> {
        let rule = TextRule { field: field.map(str::to_owned), image: None };
        kind.read(bytes, &rule).map(|texts| texts.captions)
    }

    #[test]
    fn the_forms_of_webdataset_are_read() {
        for (json, expected) in [
            (r#"{"caption": "a dog", "url": "x", "width": NaN}"#, vec!["a dog"]),
            (r#"{"caption": ["a dog", "a cat"]}"#, vec!["a dog", "a cat"]),
            (r#"{"captions": ["a dog", " "]}"#, vec!["a dog"]),
            (r#"["a dog", "a cat"]"#, vec!["a dog", "a cat"]),
            (r#"{"caption": null, "status": "success"}"#, vec![]),
            ("\u{feff}{}", vec![]),
        ] {
            assert_eq!(
                captions(TextKind::Json, json.as_bytes(), None).unwrap(),
                expected,
                "{json}"
            );
        }
        assert_eq!(
            captions(TextKind::Txt, b" a dog\r\n\na cat", None).unwrap(),
            ["a dog", "a cat"]
        );
        assert_eq!(captions(TextKind::Caption, b"a dog", None).unwrap(), ["a dog"]);
    }

    #[test]
    fn a_field_is_read_alone() {
        let json = br#"{"caption": "a dog", "alt": "a cat"}"#;
        assert_eq!(captions(TextKind::Json, json, Some("alt")).unwrap(), ["a cat"]);
        assert_eq!(captions(TextKind::Json, json, Some("title")).unwrap(), [""; 0]);
        assert_eq!(captions(TextKind::Txt, b"a dog", Some("alt")).unwrap(), [""; 0]);
    }

    #[test]
    fn what_is_no_text_is_an_error() {
        let json = |bytes: &[u8]| captions(TextKind::Json, bytes, None).unwrap_err();
        assert_eq!(captions(TextKind::Txt, b"a \xff", None).unwrap_err(), "it is not UTF-8");
        assert!(captions(TextKind::Txt, b"\xff\xfea\0", None).unwrap_err().contains("UTF-16"));
        for bytes in
            [&b"{"[..], b"", b"12", br#"{"caption": 1}"#, br#"{"toolkit": {"id": 1}}"#, b"["]
        {
            assert!(!json(bytes).is_empty());
        }
    }
}
