//! Values that are written in more than one way: ids, and texts alone, in lists or in objects.

use super::row::{Row, elements, shown, text_of};
use sha2::{Digest, Sha256};
use std::fmt::{Display, Formatter};

/// The largest number below which every whole one is a float: 2^53.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// An id: a whole number or any text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Id {
    Number(i128),
    Text(String),
}

impl Display for Id {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl Id {
    /// Reads the id that `key` has. A whole float is that number, as a text too: other tools join
    /// tables with floats.
    ///
    /// # Errors
    /// If it is neither a whole number nor a text.
    pub fn read(key: &str, value: &[u8]) -> Result<Self, String> {
        if value.first() == Some(&b'"') {
            let text = text_of(key, value)?;
            return Ok(match text.split_once('.') {
                Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|b| b == b'0') => {
                    number(whole).map_or(Self::Text(text), Self::Number)
                }
                _ => Self::Text(text),
            });
        }
        let written = std::str::from_utf8(value).unwrap_or_default();
        number(written).or_else(|| whole(written)).map(Self::Number).ok_or_else(|| {
            format!("`{key}` is {}, not an id (a whole number or a text)", shown(value))
        })
    }

    /// Reads an id like [`Id::read`], but a text of digits, or COCO's name of a picture, gives the
    /// number in it.
    ///
    /// # Errors
    /// As [`Id::read`].
    pub fn numbered(key: &str, value: &[u8]) -> Result<Self, String> {
        Ok(match Self::read(key, value)? {
            Self::Text(text) => match digits(&text).or_else(|| coco_id(&text)) {
                Some(number) => Self::Number(i128::from(number)),
                None => Self::Text(text),
            },
            number => number,
        })
    }

    /// Returns the number of a question: the id, or 53 bits of a digest where the id is a text or
    /// negative.
    pub fn question(&self) -> u64 {
        match self {
            Self::Number(number) => {
                u64::try_from(*number).unwrap_or_else(|_| digest(&number.to_string()))
            }
            Self::Text(text) => digits(text).unwrap_or_else(|| digest(text)),
        }
    }
}

/// Hashes to 53 bits, so that every reader of JSON keeps them.
fn digest(text: &str) -> u64 {
    let hash = Sha256::digest(text.as_bytes());
    hash.iter().take(8).fold(0, |number, &byte| number << 8 | u64::from(byte)) >> 11
}

/// Reads a number of JSON without point and exponent, within 64 bits.
fn number(written: &str) -> Option<i128> {
    let digits = written.strip_prefix('-').unwrap_or(written);
    if digits.is_empty() || digits.len() > 20 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number = written.parse::<i128>().ok()?;
    (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&number).then_some(number)
}

/// Reads a float of JSON that is whole and not rounded.
fn whole(written: &str) -> Option<i128> {
    if !written.bytes().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E')) {
        return None;
    }
    let float = written.parse::<f64>().ok()?;
    (float.fract() == 0.0 && float.abs() < EXACT).then_some(float as i128)
}

/// Reads the number of a text of digits only.
pub(crate) fn digits(text: &str) -> Option<u64> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

/// Returns the number of a COCO picture: the last `_` part of its file's name, as LAVIS reads it.
/// Only of names that begin as COCO's do: `000_12.jpg` of a crawl is no picture 12.
pub(crate) fn coco_id(path: &str) -> Option<u64> {
    let name = path.rsplit('/').next()?.strip_prefix("COCO_")?;
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    digits(stem.rsplit('_').next()?)
}

/// Form in which texts of a kind are written.
pub(crate) struct Wording {
    /// The keys of the text where it is in an object.
    pub inner: &'static [&'static str],
    /// A number is its digits. True of answers; a caption that is a number is a mistake.
    pub numbers: bool,
}

/// Captions.
pub(crate) const CAPTIONS: Wording = Wording { inner: super::keys::IN_CAPTION, numbers: false };
/// Answers.
pub(crate) const ANSWERS: Wording = Wording { inner: super::keys::IN_ANSWER, numbers: true };

/// Reads a text, a list of texts, or a list of objects with texts. A null in a list is an empty
/// text.
///
/// # Errors
/// If anything else is there: the message has the key and the value.
pub(crate) fn texts(key: &str, value: &[u8], wording: &Wording) -> Result<Vec<String>, String> {
    if value.first() == Some(&b'[') {
        return elements(value)?.into_iter().map(|value| one_text(key, value, wording)).collect();
    }
    let text = one_text(key, value, wording)?;
    // Tables keep lists as texts. JSON in a text is plain; another language's list would be one
    // wrong text.
    if key.ends_with('s') && text.starts_with('[') && text.ends_with(']') {
        return match elements(text.as_bytes()) {
            Ok(found) if found.iter().all(|value| value.first() == Some(&b'"')) => {
                found.into_iter().map(|value| one_text(key, value, wording)).collect()
            }
            _ => Err(format!("`{key}` is a list written as a text, {}", shown(value))),
        };
    }
    Ok(vec![text])
}

fn one_text(key: &str, value: &[u8], wording: &Wording) -> Result<String, String> {
    match value.first() {
        Some(b'"') => text_of(key, value),
        Some(b'{') => {
            let row = Row::parse(value)?;
            inside(&row, key, wording)
        }
        Some(b'n') if value == b"null" => Ok(String::new()),
        Some(b'0'..=b'9' | b'-') if wording.numbers => match Id::read(key, value) {
            Ok(whole) => Ok(whole.to_string()),
            Err(_) => super::row::parsed::<f64>(value)
                .map(|_| String::from_utf8_lossy(value).into_owned())
                .map_err(|_| format!("`{key}` is {}, not a text", shown(value))),
        },
        _ => text_of(key, value),
    }
}

/// Reads the text of an object: the first of its keys that has one.
fn inside(row: &Row<'_>, key: &str, wording: &Wording) -> Result<String, String> {
    let values = row.all(wording.inner)?;
    let read = |(inner, value): &(&str, &[u8])| match value.first() {
        Some(b'{') => Err(format!("an entry of `{key}` {}", row.lacks(wording.inner[0]))),
        _ => one_text(inner, value, wording).map_err(|error| format!("in `{key}`, {error}")),
    };
    let Some((first, others)) = values.split_first() else {
        return Err(format!("an entry of `{key}` {}", row.lacks(wording.inner[0])));
    };
    let text = read(first)?;
    if !text.trim().is_empty() {
        return Ok(text);
    }
    let other =
        others.iter().filter_map(|value| read(value).ok()).find(|text| !text.trim().is_empty());
    Ok(other.unwrap_or(text))
}

/// Reads one path: a text, or a list with one.
///
/// # Errors
/// If it is something else.
pub(crate) fn path(key: &str, value: &[u8]) -> Result<String, String> {
    if value.first() != Some(&b'[') {
        return text_of(key, value);
    }
    match elements(value)?.as_slice() {
        [only] => text_of(key, only),
        all => Err(format!("`{key}` names {} pictures, not one", all.len())),
    }
}

/// Reads a text where there is one.
///
/// # Errors
/// If the value is something else.
pub(crate) fn optional(row: &Row<'_>, keys: &[&str]) -> Result<Option<String>, String> {
    row.first(keys)?.map(|(key, value)| text_of(key, value)).transpose()
}
