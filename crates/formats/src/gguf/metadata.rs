//! Metadata of a GGUF file: key and value pairs that describe the model and its tokenizer.

use super::cursor::Cursor;
use crate::error::{ParseError, one_line};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A value of the metadata. Numbers of all widths are stored in 64 bits.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum MetadataValue {
    /// An unsigned number.
    Unsigned(u64),
    /// A signed number.
    Signed(i64),
    /// A float; `f32` values are exact.
    Float(f64),
    /// A boolean.
    Bool(bool),
    /// A text.
    Text(String),
    /// Unsigned numbers.
    UnsignedList(Vec<u64>),
    /// Signed numbers.
    SignedList(Vec<i64>),
    /// Floats.
    FloatList(Vec<f64>),
    /// Booleans.
    BoolList(Vec<bool>),
    /// Texts.
    TextList(Vec<String>),
    /// Lists.
    ListList(Vec<MetadataValue>),
}

/// The metadata of a GGUF file. Getters return `None` if the key is not there or its value is of
/// another type.
#[derive(Clone, PartialEq, Debug)]
pub struct Metadata {
    values: BTreeMap<String, MetadataValue>,
    /// File that errors name.
    pub(super) path: PathBuf,
}

impl Metadata {
    /// Returns the value of a key.
    pub fn get(&self, key: &str) -> Option<&MetadataValue> {
        self.values.get(key)
    }

    /// Returns all keys, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// Returns a text.
    pub fn str(&self, key: &str) -> Option<&str> {
        match self.get(key)? {
            MetadataValue::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns an integer that is not negative.
    pub fn u64(&self, key: &str) -> Option<u64> {
        match self.get(key)? {
            MetadataValue::Unsigned(value) => Some(*value),
            MetadataValue::Signed(value) => u64::try_from(*value).ok(),
            _ => None,
        }
    }

    /// Returns an integer of at most 32 bits that is not negative.
    pub fn u32(&self, key: &str) -> Option<u32> {
        self.u64(key).and_then(|value| u32::try_from(value).ok())
    }

    /// Returns a float; those of 64 bits are rounded.
    pub fn f32(&self, key: &str) -> Option<f32> {
        match self.get(key)? {
            MetadataValue::Float(value) => Some(*value as f32),
            _ => None,
        }
    }

    /// Returns a boolean.
    pub fn bool(&self, key: &str) -> Option<bool> {
        match self.get(key)? {
            MetadataValue::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// Returns a list of texts.
    pub fn strings(&self, key: &str) -> Option<&[String]> {
        match self.get(key)? {
            MetadataValue::TextList(texts) => Some(texts),
            _ => None,
        }
    }

    /// Returns a list of integers that fit in `i64`.
    pub fn ints(&self, key: &str) -> Option<Vec<i64>> {
        match self.get(key)? {
            MetadataValue::SignedList(values) => Some(values.clone()),
            MetadataValue::UnsignedList(values) => {
                values.iter().map(|&value| i64::try_from(value).ok()).collect()
            }
            _ => None,
        }
    }

    /// Returns a list of floats; those of 64 bits are rounded.
    pub fn floats(&self, key: &str) -> Option<Vec<f32>> {
        match self.get(key)? {
            MetadataValue::FloatList(values) => {
                Some(values.iter().map(|&value| value as f32).collect())
            }
            _ => None,
        }
    }

    /// Returns the single values as text.
    pub(super) fn texts(&self) -> BTreeMap<String, String> {
        let text = |value: &MetadataValue| {
            Some(match value {
                MetadataValue::Unsigned(value) => value.to_string(),
                MetadataValue::Signed(value) => value.to_string(),
                // As short as an f32 is written, if it is one.
                MetadataValue::Float(value) if f64::from(*value as f32) == *value => {
                    (*value as f32).to_string()
                }
                MetadataValue::Float(value) => value.to_string(),
                MetadataValue::Bool(value) => value.to_string(),
                MetadataValue::Text(text) => text.clone(),
                _ => return None,
            })
        };
        self.values.iter().filter_map(|(key, value)| Some((key.clone(), text(value)?))).collect()
    }

    /// Names the file, for errors.
    pub(crate) fn in_file(self, path: PathBuf) -> Self {
        Self { path, ..self }
    }

    /// Reads `count` pairs.
    pub(super) fn parse(cursor: &mut Cursor, count: u64) -> Result<Self, ParseError> {
        let mut values = BTreeMap::new();
        for _ in 0..count {
            let key = cursor.text()?;
            let kind = cursor.u32()?;
            let value = value(cursor, kind)?;
            if values.insert(key.to_owned(), value).is_some() {
                return Err(cursor.error(format!("the metadata has `{}` twice", one_line(key))));
            }
        }
        Ok(Self { values, path: PathBuf::new() })
    }
}

/// Number of the type of lists, `GGUF_METADATA_VALUE_TYPE_ARRAY`.
const LIST: u32 = 9;

fn value(cursor: &mut Cursor, kind: u32) -> Result<MetadataValue, ParseError> {
    if kind == LIST {
        return list(cursor, 0);
    }
    Ok(match kind {
        0 => MetadataValue::Unsigned(cursor.array().map(u8::from_le_bytes)?.into()),
        1 => MetadataValue::Signed(cursor.array().map(i8::from_le_bytes)?.into()),
        2 => MetadataValue::Unsigned(cursor.array().map(u16::from_le_bytes)?.into()),
        3 => MetadataValue::Signed(cursor.array().map(i16::from_le_bytes)?.into()),
        4 => MetadataValue::Unsigned(cursor.array().map(u32::from_le_bytes)?.into()),
        5 => MetadataValue::Signed(cursor.array().map(i32::from_le_bytes)?.into()),
        6 => MetadataValue::Float(cursor.array().map(f32::from_le_bytes)?.into()),
        7 => MetadataValue::Bool(cursor.array::<1>()? != [0]),
        8 => MetadataValue::Text(cursor.text()?.to_owned()),
        10 => MetadataValue::Unsigned(cursor.array().map(u64::from_le_bytes)?),
        11 => MetadataValue::Signed(cursor.array().map(i64::from_le_bytes)?),
        12 => MetadataValue::Float(cursor.array().map(f64::from_le_bytes)?),
        _ => return Err(cursor.error(format!("a metadata value of the unknown type {kind}"))),
    })
}

/// Deepest nesting of lists that is read. Only a file that is made to exhaust the stack has more.
const MAX_DEPTH: usize = 4;

fn list(cursor: &mut Cursor, depth: usize) -> Result<MetadataValue, ParseError> {
    let kind = cursor.u32()?;
    Ok(match kind {
        0 => MetadataValue::UnsignedList(numbers(cursor, |b| u8::from_le_bytes(b).into())?),
        1 => MetadataValue::SignedList(numbers(cursor, |b| i8::from_le_bytes(b).into())?),
        2 => MetadataValue::UnsignedList(numbers(cursor, |b| u16::from_le_bytes(b).into())?),
        3 => MetadataValue::SignedList(numbers(cursor, |b| i16::from_le_bytes(b).into())?),
        4 => MetadataValue::UnsignedList(numbers(cursor, |b| u32::from_le_bytes(b).into())?),
        5 => MetadataValue::SignedList(numbers(cursor, |b| i32::from_le_bytes(b).into())?),
        6 => MetadataValue::FloatList(numbers(cursor, |b| f32::from_le_bytes(b).into())?),
        7 => MetadataValue::BoolList(numbers(cursor, |b: [u8; 1]| b != [0])?),
        8 => {
            let count = cursor.len(8)?;
            MetadataValue::TextList(
                (0..count).map(|_| cursor.text().map(str::to_owned)).collect::<Result<_, _>>()?,
            )
        }
        LIST if depth == MAX_DEPTH => return Err(cursor.error("lists nested too deeply")),
        LIST => {
            let count = cursor.len(12)?;
            MetadataValue::ListList(
                (0..count).map(|_| list(cursor, depth + 1)).collect::<Result<_, _>>()?,
            )
        }
        10 => MetadataValue::UnsignedList(numbers(cursor, u64::from_le_bytes)?),
        11 => MetadataValue::SignedList(numbers(cursor, i64::from_le_bytes)?),
        12 => MetadataValue::FloatList(numbers(cursor, f64::from_le_bytes)?),
        _ => return Err(cursor.error(format!("a metadata list of the unknown type {kind}"))),
    })
}

fn numbers<const N: usize, T>(
    cursor: &mut Cursor,
    decode: impl Fn([u8; N]) -> T,
) -> Result<Vec<T>, ParseError> {
    let count = cursor.len(N)?;
    Ok(cursor.take(count * N)?.as_chunks::<N>().0.iter().map(|&bytes| decode(bytes)).collect())
}
