//! Values that published files write in more than one way.

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt::{Formatter, Result as Written};

/// A whole number, or a text of digits only (`5515938` and `"05515938"` are the same GQA question).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number(pub u64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Number;
            fn expecting(&self, f: &mut Formatter<'_>) -> Written {
                f.write_str("a whole number from 0")
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<Number, E> {
                Ok(Number(value))
            }
            fn visit_str<E: Error>(self, value: &str) -> Result<Number, E> {
                digits(value).map(Number).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(value), &self))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// The number that a text of nothing but digits is.
pub(super) fn digits(text: &str) -> Option<u64> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

/// An id: a whole number or any text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Id {
    Number(u64),
    Text(String),
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Id;
            fn expecting(&self, f: &mut Formatter<'_>) -> Written {
                f.write_str("an id (a whole number from 0 or a text)")
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<Id, E> {
                Ok(Id::Number(value))
            }
            fn visit_str<E: Error>(self, value: &str) -> Result<Id, E> {
                Ok(Id::Text(value.to_owned()))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// A text or a list of texts: LAVIS has one caption in a training row and a list in an evaluation row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Texts(pub Vec<String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Texts;
            fn expecting(&self, f: &mut Formatter<'_>) -> Written {
                f.write_str("a text or a list of texts")
            }
            fn visit_str<E: Error>(self, value: &str) -> Result<Texts, E> {
                Ok(Texts(vec![value.to_owned()]))
            }
            fn visit_string<E: Error>(self, value: String) -> Result<Texts, E> {
                Ok(Texts(vec![value]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Texts, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = list.next_element()? {
                    texts.push(text);
                }
                Ok(Texts(texts))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}
