//! Ids of images, questions and annotations, compared as the official tools compare them.

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use std::fmt;

/// The whole numbers that a floating-point number holds without loss lie below this.
pub(super) const EXACT: f64 = 9_007_199_254_740_992.0;

/// An id. Numbers that tools write in another way are the same: `42`, `42.0` (joined tables),
/// `"42"` and `"42.0"`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(Kind);

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Kind {
    Number(i64),
    Text(Box<str>),
}

impl Id {
    /// A text that is a number as a program writes it is that number; `007` and `1.50` are texts.
    fn of_text(text: &str) -> Self {
        let whole = text.strip_suffix(".0").unwrap_or(text);
        match whole.parse::<i64>() {
            Ok(number) if number.to_string() == whole => Self(Kind::Number(number)),
            _ => Self(Kind::Text(text.into())),
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Number(number) => write!(f, "{number}"),
            Kind::Text(text) => f.write_str(text),
        }
    }
}

impl serde::Serialize for Id {
    /// A number where it is one, as in the official files.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Kind::Number(number) => serializer.serialize_i64(*number),
            Kind::Text(text) => serializer.serialize_str(text),
        }
    }
}

struct Either;

impl Visitor<'_> for Either {
    type Value = Id;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id: a whole number or a text")
    }

    fn visit_u64<E: Error>(self, id: u64) -> Result<Id, E> {
        Ok(i64::try_from(id)
            .map_or_else(|_| Id(Kind::Text(id.to_string().into())), |id| Id(Kind::Number(id))))
    }

    fn visit_i64<E: Error>(self, id: i64) -> Result<Id, E> {
        Ok(Id(Kind::Number(id)))
    }

    fn visit_f64<E: Error>(self, id: f64) -> Result<Id, E> {
        if id.fract() == 0.0 && id.abs() < EXACT {
            return Ok(Id(Kind::Number(id as i64)));
        }
        // Beyond that, two ids may have become one before they are compared.
        let why = if id.abs() < EXACT {
            "has a fraction"
        } else {
            "is too long for a number: write it as a text"
        };
        Err(E::custom(format!("{id} is no id, it {why}; expected an id: a whole number or a text")))
    }

    fn visit_str<E: Error>(self, id: &str) -> Result<Id, E> {
        Ok(Id::of_text(id))
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Either)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::Id;

    fn id(json: &str) -> Id {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn one_number_has_one_id_however_it_is_written() {
        for same in ["3", "3.0", "3e0", "\"3\"", "\"3.0\""] {
            assert_eq!(id(same), id("3"), "{same}");
            assert_eq!(serde_json::to_string(&id(same)).unwrap(), "3");
        }
        assert_eq!(id("-0.0"), id("0"));
        assert_eq!((id("-1"), id("\"-1.0\"")), (id("-1.0"), id("-1")));
        assert_eq!(id("18446744073709551615"), id("\"18446744073709551615\""));
    }

    #[test]
    fn texts_stay_as_they_are() {
        for text in [
            "\"007\"",
            "\"+3\"",
            "\"3.00\"",
            "\"3.\"",
            "\"1.50\"",
            "\"\"",
            "\"a.0\"",
            "\"COCO_val2014_000000000040\"",
        ] {
            assert_eq!(serde_json::to_string(&id(text)).unwrap(), text);
        }
        assert_ne!(id("\"007\""), id("7"));
    }

    #[test]
    fn fractions_and_lost_digits_are_no_ids() {
        let error = |json: &str| serde_json::from_str::<Id>(json).unwrap_err().to_string();
        assert!(error("1.5").contains("1.5 is no id, it has a fraction"), "{}", error("1.5"));
        assert!(error("123456789012345678901234567890").contains("write it as a text"));
        assert!(
            error("null").contains("an id: a whole number or a text")
                && error("true").contains("an id")
        );
    }
}
