//! The metadata of a GGUF file: what its model is, and its tokenizer.

use super::cursor::Cursor;
use crate::error::{Fault, one_line};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A value of the metadata. Widths are not kept.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Value {
    /// An unsigned number.
    Unsigned(u64),
    /// A signed number.
    Signed(i64),
    /// A float; `f32` values are exact.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// A text.
    Text(String),
    /// Unsigned numbers.
    UnsignedList(Vec<u64>),
    /// Signed numbers.
    SignedList(Vec<i64>),
    /// Floats.
    FloatList(Vec<f64>),
    /// Truth values.
    BoolList(Vec<bool>),
    /// Texts.
    TextList(Vec<String>),
    /// Lists.
    ListList(Vec<Value>),
}

/// The metadata of a GGUF file. Getters give `None` if the key is not there or its value is of
/// another type.
#[derive(Clone, PartialEq, Debug)]
pub struct Metadata {
    values: BTreeMap<String, Value>,
    /// For errors.
    pub(crate) path: PathBuf,
}

impl Metadata {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }

    /// All keys, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// A text.
    pub fn str(&self, key: &str) -> Option<&str> {
        match self.get(key)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A whole number that is not negative.
    pub fn u64(&self, key: &str) -> Option<u64> {
        match self.get(key)? {
            Value::Unsigned(value) => Some(*value),
            Value::Signed(value) => u64::try_from(*value).ok(),
            _ => None,
        }
    }

    /// A whole number of at most 32 bits that is not negative.
    pub fn u32(&self, key: &str) -> Option<u32> {
        self.u64(key).and_then(|value| u32::try_from(value).ok())
    }

    /// A float; those of 64 bits are rounded.
    pub fn f32(&self, key: &str) -> Option<f32> {
        match self.get(key)? {
            Value::Float(value) => Some(*value as f32),
            _ => None,
        }
    }

    /// A truth value.
    pub fn bool(&self, key: &str) -> Option<bool> {
        match self.get(key)? {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// A list of texts.
    pub fn strings(&self, key: &str) -> Option<&[String]> {
        match self.get(key)? {
            Value::TextList(texts) => Some(texts),
            _ => None,
        }
    }

    /// A list of whole numbers that fit in `i64`.
    pub fn ints(&self, key: &str) -> Option<Vec<i64>> {
        match self.get(key)? {
            Value::SignedList(values) => Some(values.clone()),
            Value::UnsignedList(values) => {
                values.iter().map(|&value| i64::try_from(value).ok()).collect()
            }
            _ => None,
        }
    }

    /// A list of floats; those of 64 bits are rounded.
    pub fn floats(&self, key: &str) -> Option<Vec<f32>> {
        match self.get(key)? {
            Value::FloatList(values) => Some(values.iter().map(|&value| value as f32).collect()),
            _ => None,
        }
    }

    /// The single values as text.
    pub(super) fn texts(&self) -> BTreeMap<String, String> {
        let text = |value: &Value| {
            Some(match value {
                Value::Unsigned(value) => value.to_string(),
                Value::Signed(value) => value.to_string(),
                // As short as an f32 is written, if it is one.
                Value::Float(value) if f64::from(*value as f32) == *value => {
                    (*value as f32).to_string()
                }
                Value::Float(value) => value.to_string(),
                Value::Bool(value) => value.to_string(),
                Value::Text(text) => text.clone(),
                _ => return None,
            })
        };
        self.values.iter().filter_map(|(key, value)| Some((key.clone(), text(value)?))).collect()
    }

    pub(super) fn parse(cursor: &mut Cursor, count: u64) -> Result<Self, Fault> {
        let mut values = BTreeMap::new();
        for _ in 0..count {
            let key = cursor.text()?;
            let kind = cursor.u32()?;
            let value = value(cursor, kind)?;
            if values.insert(key.to_owned(), value).is_some() {
                return Err(cursor.fault(format!("the metadata has `{}` twice", one_line(key))));
            }
        }
        Ok(Self { values, path: PathBuf::new() })
    }
}

const LIST: u32 = 9;

fn value(cursor: &mut Cursor, kind: u32) -> Result<Value, Fault> {
    if kind == LIST {
        return list(cursor, 0);
    }
    Ok(match kind {
        0 => Value::Unsigned(cursor.array().map(u8::from_le_bytes)?.into()),
        1 => Value::Signed(cursor.array().map(i8::from_le_bytes)?.into()),
        2 => Value::Unsigned(cursor.array().map(u16::from_le_bytes)?.into()),
        3 => Value::Signed(cursor.array().map(i16::from_le_bytes)?.into()),
        4 => Value::Unsigned(cursor.array().map(u32::from_le_bytes)?.into()),
        5 => Value::Signed(cursor.array().map(i32::from_le_bytes)?.into()),
        6 => Value::Float(cursor.array().map(f32::from_le_bytes)?.into()),
        7 => Value::Bool(cursor.array::<1>()? != [0]),
        8 => Value::Text(cursor.text()?.to_owned()),
        10 => Value::Unsigned(cursor.array().map(u64::from_le_bytes)?),
        11 => Value::Signed(cursor.array().map(i64::from_le_bytes)?),
        12 => Value::Float(cursor.array().map(f64::from_le_bytes)?),
        _ => return Err(cursor.fault(format!("a metadata value of the unknown type {kind}"))),
    })
}

/// Lists in lists are allowed, but no file that is not made to exhaust the stack nests them deeply.
const MAX_DEPTH: usize = 4;

fn list(cursor: &mut Cursor, depth: usize) -> Result<Value, Fault> {
    let kind = cursor.u32()?;
    Ok(match kind {
        0 => Value::UnsignedList(numbers(cursor, |b| u8::from_le_bytes(b).into())?),
        1 => Value::SignedList(numbers(cursor, |b| i8::from_le_bytes(b).into())?),
        2 => Value::UnsignedList(numbers(cursor, |b| u16::from_le_bytes(b).into())?),
        3 => Value::SignedList(numbers(cursor, |b| i16::from_le_bytes(b).into())?),
        4 => Value::UnsignedList(numbers(cursor, |b| u32::from_le_bytes(b).into())?),
        5 => Value::SignedList(numbers(cursor, |b| i32::from_le_bytes(b).into())?),
        6 => Value::FloatList(numbers(cursor, |b| f32::from_le_bytes(b).into())?),
        7 => Value::BoolList(numbers(cursor, |b: [u8; 1]| b != [0])?),
        8 => {
            let count = cursor.len(8)?;
            Value::TextList(
                (0..count).map(|_| cursor.text().map(str::to_owned)).collect::<Result<_, _>>()?,
            )
        }
        LIST if depth == MAX_DEPTH => return Err(cursor.fault("lists nested too deeply")),
        LIST => {
            let count = cursor.len(12)?;
            Value::ListList((0..count).map(|_| list(cursor, depth + 1)).collect::<Result<_, _>>()?)
        }
        10 => Value::UnsignedList(numbers(cursor, u64::from_le_bytes)?),
        11 => Value::SignedList(numbers(cursor, i64::from_le_bytes)?),
        12 => Value::FloatList(numbers(cursor, f64::from_le_bytes)?),
        _ => return Err(cursor.fault(format!("a metadata list of the unknown type {kind}"))),
    })
}

fn numbers<const N: usize, T>(
    cursor: &mut Cursor,
    decode: impl Fn([u8; N]) -> T,
) -> Result<Vec<T>, Fault> {
    let count = cursor.len(N)?;
    Ok(cursor.take(count * N)?.as_chunks::<N>().0.iter().map(|&bytes| decode(bytes)).collect())
}
