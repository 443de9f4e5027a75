//! Answers as people write them: a text, a number, or either as the `answer` of an object.

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use std::fmt;

/// An entry of `answers`: `"2"`, `2` and `{"answer": 2}` are the text `2`.
pub(super) struct Answer(pub String);

/// Reads an answer that is not in an object.
pub(super) fn alone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    deserializer.deserialize_any(Text)
}

/// Reads a list of answers.
pub(super) fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let answers = Vec::<Answer>::deserialize(deserializer)?;
    Ok(answers.into_iter().map(|answer| answer.0).collect())
}

#[derive(serde::Deserialize)]
struct Object {
    #[serde(deserialize_with = "alone")]
    answer: String,
}

impl<'de> Deserialize<'de> for Answer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Entry).map(Self)
    }
}

struct Text;

impl Visitor<'_> for Text {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an answer: a text or a number")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<String, E> {
        Ok(text)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<String, E> {
        Ok(number.to_string())
    }

    /// Joined tables make 2.0 of 2.
    fn visit_f64<E: Error>(self, number: f64) -> Result<String, E> {
        let exact = number.fract() == 0.0 && number.abs() < super::id::EXACT;
        Ok(if exact { (number as i64).to_string() } else { format!("{number:?}") })
    }
}

struct Entry;

impl<'de> Visitor<'de> for Entry {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an answer: a text, a number, or an object with `answer`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        Text.visit_str(text)
    }

    fn visit_string<E: Error>(self, text: String) -> Result<String, E> {
        Text.visit_string(text)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<String, E> {
        Text.visit_u64(number)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<String, E> {
        Text.visit_i64(number)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<String, E> {
        Text.visit_f64(number)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<String, A::Error> {
        Object::deserialize(MapAccessDeserializer::new(map)).map(|object| object.answer)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::Answer;

    #[test]
    fn an_answer_is_one_text_however_it_is_written() {
        for (json, text) in [
            ("\"a\\n\\u00e9\"", "a\n\u{e9}"),
            ("2", "2"),
            ("-2", "-2"),
            ("2.0", "2"),
            ("2.5", "2.5"),
            ("1e300", "1e300"),
            ("18446744073709551615", "18446744073709551615"),
        ] {
            for written in [json.to_owned(), format!("{{\"answer\": {json}, \"answer_id\": 1}}")] {
                assert_eq!(serde_json::from_str::<Answer>(&written).unwrap().0, text, "{written}");
            }
        }
        for none in [
            "null",
            "true",
            "[\"a\"]",
            "{\"text\": \"a\"}",
            "{\"answer\": null}",
            "{\"answer\": {}}",
            "NaN",
        ] {
            assert!(serde_json::from_str::<Answer>(none).is_err(), "{none}");
        }
    }
}
