//! Rows of a form that is fixed: finds the first row that is not of it, and says why.
//!
//! A reader that parses a whole file at once knows the byte of an error. A list of 40,000 rows is
//! often one line, so people need the row, its id and its key: [`check_rows`] gives those.

use super::at::At;
use super::row::{Row, elements, parsed, shown, text_of};
use super::rows::{list, section};
use super::text::one_line;
use super::values::Id;
use crate::DataError;
use serde::de::IgnoredAny;
use std::path::Path;
use toolkit_system::problem::Problem;

/// The kind of value that a key has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// A whole number or a text. The message about a row contains its ids.
    Id,
    /// A text.
    Text,
    /// A text, or a number that stands for its digits.
    Answer,
    /// A list of answers, each alone or as the `answer` of an object.
    Answers,
}

/// A key of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The key, in these letters.
    pub key: &'static str,
    /// Kind of its value.
    pub value: FieldType,
    /// Must be there and not null.
    pub needed: bool,
}

impl Field {
    /// Creates a key that every row has.
    #[must_use]
    pub const fn needed(key: &'static str, value: FieldType) -> Self {
        Self { key, value, needed: true }
    }

    /// Creates a key that may be missing or null.
    #[must_use]
    pub const fn optional(key: &'static str, value: FieldType) -> Self {
        Self { key, value, needed: false }
    }
}

/// Checks the rows of the list `name` of a file, or of a file that is a list or JSON Lines.
/// Says if that list is there. Keys that are not among `fields` may have any value of JSON.
///
/// # Errors
/// At the first row that is not of the form: names the row (from 1), its ids, the key at fault and
/// the keys that the row has. If the file cannot be read, or ends in the middle.
pub fn check_rows(
    path: &Path,
    name: Option<&'static str>,
    fields: &[Field],
) -> Result<bool, DataError> {
    let fault = |what: String| {
        let hint = "mend the row, or write it anew";
        DataError::Malformed(Problem::new(what).at(path.display()).hint(hint))
    };
    let mut each = |at: At, _: &str, bytes: &[u8]| {
        if name.is_none() && !at.section.is_empty() {
            return Err(fault(format!(
                "the list is inside an object, as \"{}\", not alone in the file",
                at.section
            )));
        }
        match Row::parse(bytes) {
            Err(what) => Err(fault(format!("{at}: {what}"))),
            Ok(row) => {
                check_row(&row, fields).map_err(|what| fault(format!("{at}{}", one_line(&what))))
            }
        }
    };
    match name {
        Some(name) => section(path, name, false, &mut each),
        None => list(path, &[], &mut each).map(|()| true),
    }
}

/// Checks one row; the message begins behind its number.
fn check_row(row: &Row<'_>, fields: &[Field]) -> Result<(), String> {
    let ids = || {
        let ids = fields.iter().filter(|field| field.value == FieldType::Id).filter_map(|field| {
            let id = Id::read(field.key, exact(row, field.key).ok()??).ok()?;
            Some(format!("`{}` {id}", field.key))
        });
        let ids: Vec<String> = ids.collect();
        if ids.is_empty() { String::new() } else { format!(" ({})", ids.join(", ")) }
    };
    let wrong = |what: String| format!("{}: {what}; the row has {}", ids(), row.names());
    for field in fields {
        match exact(row, field.key).map_err(wrong)? {
            Some(value) if value == b"null" && !field.needed => {}
            Some(value) => check_value(field.key, value, field.value).map_err(wrong)?,
            None if field.needed => return Err(format!("{} {}", ids(), row.lacks(field.key))),
            None => {}
        }
    }
    // A number such as NaN makes the whole file no JSON, wherever it is.
    for (key, value) in row.fields() {
        parsed::<IgnoredAny>(value).map_err(|why| {
            wrong(format!("`{key}` is {}, which is no JSON: {why}", shown(value)))
        })?;
    }
    Ok(())
}

/// Returns the value of a key in exactly this spelling.
fn exact<'a>(row: &Row<'a>, key: &str) -> Result<Option<&'a [u8]>, String> {
    let mut found = row.fields().filter(|(name, _)| *name == key);
    let value = found.next().map(|(_, value)| value);
    if found.next().is_some() { Err(format!("`{key}` is there twice")) } else { Ok(value) }
}

fn check_value(key: &str, value: &[u8], kind: FieldType) -> Result<(), String> {
    match kind {
        FieldType::Id => Id::read(key, value).map(|_| ()),
        FieldType::Text => text_of(key, value).map(|_| ()),
        FieldType::Answer => match parsed::<f64>(value) {
            Ok(_) => Ok(()),
            Err(_) => text_of(key, value).map(|_| ()),
        },
        FieldType::Answers if value.first() != Some(&b'[') => {
            Err(format!("`{key}` is {}, not a list", shown(value)))
        }
        FieldType::Answers => elements(value)?
            .into_iter()
            .enumerate()
            .try_for_each(|(at, element)| check_answer(key, at + 1, element)),
    }
}

/// Checks an entry of a list of answers.
fn check_answer(key: &str, entry: usize, element: &[u8]) -> Result<(), String> {
    const INNER: &str = "answer";
    let place = |what: String| format!("entry {entry} of `{key}`: {what}");
    if element.first() != Some(&b'{') {
        return check_value(INNER, element, FieldType::Answer).map_err(place);
    }
    let inner = Row::parse(element).map_err(place)?;
    match exact(&inner, INNER).map_err(place)? {
        Some(value) => check_value(INNER, value, FieldType::Answer).map_err(place),
        None => Err(place(inner.lacks(INNER))),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::{Field, FieldType, check_rows};

    const FIELDS: &[Field] = &[
        Field::needed("image_id", FieldType::Id),
        Field::optional("id", FieldType::Id),
        Field::needed("caption", FieldType::Text),
        Field::optional("answers", FieldType::Answers),
    ];

    fn check(text: &str, name: Option<&'static str>) -> Result<bool, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f.json");
        std::fs::write(&path, text).unwrap();
        let found = check_rows(&path, name, FIELDS);
        found.map_err(|error| error.problem().what)
    }

    /// Checks a row behind a good one.
    fn second(row: &str) -> String {
        check(&format!("[{{\"image_id\": 1, \"caption\": \"a\"}}, {row}]"), None).unwrap_err()
    }

    #[test]
    fn a_row_is_named_with_its_id_its_key_and_its_keys() {
        let has = "; the row has `image_id`, `caption`";
        for (caption, what) in [
            ("null", "`caption` is null, not a text"),
            ("NaN", "`caption` is NaN, not a text"),
            ("1984", "`caption` is 1984, not a text"),
            ("[\"a\"]", "`caption` is [\"a\"], not a text"),
            ("\"x \\ud83c\"", "`caption` is no text: half of a character, in \"x \\ud83c\""),
        ] {
            let found = second(&format!("{{\"image_id\": 7, \"caption\": {caption}}}"));
            assert_eq!(found, format!("row 2 (`image_id` 7): {what}{has}"));
        }
        let found = second("{\"id\": 3, \"image_id\": 7, \"captions\": \"a\"}");
        assert_eq!(
            found,
            "row 2 (`image_id` 7, `id` 3) has no `caption`; it has `id`, `image_id`, `captions`"
        );
        let found = second("{\"image_id\": 1.5, \"caption\": \"a\"}");
        assert!(found.starts_with("row 2: `image_id` is 1.5, not an id"), "{found}");
        let found = second("{\"image_id\": 7, \"caption\": \"a\", \"score\": NaN}");
        assert!(
            found.starts_with("row 2 (`image_id` 7): `score` is NaN, which is no JSON"),
            "{found}"
        );
        let found = second("{\"image_id\": 7, \"caption\": \"a\", \"caption\": \"b\"}");
        assert!(found.starts_with("row 2 (`image_id` 7): `caption` is there twice"), "{found}");
        assert_eq!(second("[1]"), "row 2: a row is an object, not [1]");
    }

    #[test]
    fn answers_are_texts_or_numbers_alone_or_in_objects() {
        let row = |answers: &str| {
            format!("[{{\"image_id\": 1, \"caption\": \"a\", \"answers\": {answers}}}]")
        };
        for fine in
            ["null", "[]", "[\"a\", 2, 2.5, {\"answer\": 2}, {\"answer\": \"b\", \"x\": null}]"]
        {
            assert_eq!(check(&row(fine), None), Ok(true), "{fine}");
        }
        for (answers, what) in [
            ("\"a\"", "`answers` is \"a\", not a list"),
            ("[\"a\", null]", "entry 2 of `answers`: `answer` is null, not a text"),
            ("[{\"answer\": true}]", "entry 1 of `answers`: `answer` is true, not a text"),
            ("[{\"text\": \"a\"}]", "entry 1 of `answers`: has no `answer`; it has `text`"),
        ] {
            let found = check(&row(answers), None).unwrap_err();
            assert!(found.contains(what), "{found}");
        }
    }

    #[test]
    fn lists_in_objects_are_found_and_only_there() {
        let inside = "{\"images\": [{}], \"annotations\": [{\"image_id\": 1, \"caption\": \"a\"}, \
            {\"image_id\": 2}]}";
        let found = check(inside, Some("annotations")).unwrap_err();
        assert!(
            found.starts_with(
                "row 2 of \"annotations\" (`image_id` 2) has no `caption`; it has `image_id`"
            ),
            "{found}"
        );
        assert_eq!(check(inside, Some("questions")), Ok(false));
        assert!(
            check(inside, None)
                .unwrap_err()
                .starts_with("the list is inside an object, as \"annotations\"")
        );
        let lines = "{\"image_id\": 1, \"caption\": \"a\"}\n{\"image_id\": 2, \"caption\": 5}\n";
        let found = check(lines, None).unwrap_err();
        assert!(
            found.starts_with("row 2 (line 2) (`image_id` 2): `caption` is 5, not a text"),
            "{found}"
        );
    }
}
