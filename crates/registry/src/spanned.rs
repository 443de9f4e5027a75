//! TOML with positions: an error names line and column and suggests the right key.
//!
//! `DeTable` and `ValueDeserializer` of `toml` have byte spans, and the set of types stays open. A
//! family's `[config]` is parsed by the family's own type and still reports positions in the
//! original file. Avoid `#[serde(flatten)]`, `untagged` and `tag = ".."` in such types: serde
//! buffers there and positions are lost.

use serde::de::DeserializeOwned;
use std::fmt::Display;
use std::ops::Range;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};
use toolkit_system::problem::Problem;

/// The text of a TOML file whose syntax is checked, and its name in errors.
#[derive(Clone, Debug)]
pub struct Source {
    name: String,
    text: Arc<str>,
}

impl Source {
    /// Checks the syntax of `text`.
    ///
    /// # Errors
    /// At the first place that is not TOML.
    pub fn new(name: impl Into<String>, text: impl Into<Arc<str>>) -> Result<Self, Problem> {
        let source = Self { name: name.into(), text: text.into() };
        match DeTable::parse(&source.text) {
            Ok(_) => Ok(source),
            Err(error) => {
                let (what, hint) = match error.message().split_once(", expected ") {
                    Some((what, expected)) => (what, format!("expected {expected}")),
                    None => (error.message(), "this place is not valid TOML".to_owned()),
                };
                Err(source.error(error.span().unwrap_or(0..0), what, hint))
            }
        }
    }

    /// Returns the name of the file in errors.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the whole text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the whole file as a value, for [`parse`].
    #[must_use]
    pub fn root(&self) -> Spanned<DeValue<'_>> {
        // Parsed anew at each call: a table borrows from the text, so that both cannot live in one
        // struct.
        let root = DeTable::parse(&self.text).expect("`Source::new` has parsed this text");
        Spanned::new(root.span(), DeValue::Table(root.into_inner()))
    }

    /// Returns the whole file as a table with spans, to look up keys in or to change before
    /// [`parse`].
    #[must_use]
    pub fn table(&self) -> DeTable<'_> {
        match self.root().into_inner() {
            DeValue::Table(table) => table,
            _ => unreachable!("the root of a TOML file is a table"),
        }
    }

    /// Reads the whole file as a `T`.
    ///
    /// # Errors
    /// At the key or value that does not fit.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        parse(self, &self.root())
    }

    /// Creates an error at a byte span of this text.
    pub fn error(&self, span: Range<usize>, what: impl Display, hint: impl Display) -> Problem {
        let (line, column) = self.position(span.start);
        Problem::new(what).at(format_args!("{}:{line}:{column}", self.name)).hint(hint)
    }

    /// Creates an error at the value of a dotted key such as `weights.sha256`, or at the innermost
    /// table that exists.
    pub fn error_at(&self, key: &str, what: impl Display, hint: impl Display) -> Problem {
        let mut value = self.root();
        let mut span = 0..0;
        for name in key.split('.') {
            let Some(inner) = value.get_ref().get(name) else { break };
            span = inner.span();
            value = inner.clone();
        }
        self.error(span, what, hint)
    }

    /// Returns line and column from 1, the column in characters.
    fn position(&self, byte: usize) -> (usize, usize) {
        let mut byte = byte.min(self.text.len());
        while !self.text.is_char_boundary(byte) {
            byte -= 1;
        }
        let before = &self.text[..byte];
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[start..].chars().count() + 1)
    }
}

/// Reads a value of `source` as a `T`.
///
/// # Errors
/// At the unknown key, the value of the wrong type or the table that lacks a key, with what was
/// expected.
pub fn parse<T: DeserializeOwned>(
    source: &Source,
    value: &Spanned<DeValue<'_>>,
) -> Result<T, Problem> {
    T::deserialize(ValueDeserializer::from(value.clone())).map_err(|error| {
        let span = error.span().unwrap_or_else(|| value.span());
        let (what, hint) = explain(error.message(), path(&source.root(), &span).as_deref());
        source.error(span, what, hint)
    })
}

/// Returns the dotted key whose value is at `span`, elements of lists as `key[0]`.
fn path(value: &Spanned<DeValue<'_>>, span: &Range<usize>) -> Option<String> {
    let within = |value: &Spanned<DeValue<'_>>| {
        if value.span() == *span { Some(String::new()) } else { path(value, span) }
    };
    match value.get_ref() {
        DeValue::Table(table) => table.iter().find_map(|(key, value)| {
            let inner = within(value)?;
            let dot = if inner.is_empty() || inner.starts_with('[') { "" } else { "." };
            Some(format!("{}{dot}{inner}", key.get_ref()))
        }),
        DeValue::Array(list) => list.iter().enumerate().find_map(|(index, value)| {
            let inner = within(value)?;
            let dot = if inner.is_empty() || inner.starts_with('[') { "" } else { "." };
            Some(format!("[{index}]{dot}{inner}"))
        }),
        _ => None,
    }
}

/// Translates a message of serde into a problem of TOML and a hint.
fn explain(message: &str, path: Option<&str>) -> (String, String) {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    if let [wrong, known @ ..] = quoted.as_slice() {
        if message.starts_with("unknown field") {
            return (format!("unknown key `{wrong}`"), suggest(wrong, known));
        }
        if message.starts_with("unknown variant") {
            let what = path.map_or_else(
                || format!("unknown value `{wrong}`"),
                |key| format!("unknown value `{wrong}` of `{key}`"),
            );
            return (what, suggest(wrong, known));
        }
        if message.starts_with("missing field") {
            let table = path.map_or_else(String::new, |table| format!(" in `{table}`"));
            return (format!("missing key `{wrong}`{table}"), format!("add `{wrong} = ..`"));
        }
    }
    let what = path.map_or_else(|| message.to_owned(), |key| format!("`{key}`: {message}"));
    (
        what,
        message.rsplit_once("expected ").map_or_else(String::new, |(_, expected)| wanted(expected)),
    )
}

/// Translates a Rust type that serde expects into a hint.
fn wanted(expected: &str) -> String {
    match expected {
        "a string" => "write text in quotes".to_owned(),
        "a boolean" => "write `true` or `false`".to_owned(),
        "u8" | "u16" | "u32" | "u64" | "usize" | "nonzero usize" => {
            "write a whole number, 0 or more".to_owned()
        }
        "i8" | "i16" | "i32" | "i64" | "isize" => "write a whole number".to_owned(),
        "f32" | "f64" => "write a number".to_owned(),
        "a map" => "write a table".to_owned(),
        "a sequence" => "write a list: `[.., ..]`".to_owned(),
        other if other.starts_with("struct ") => "write a table".to_owned(),
        other => format!("write {other}"),
    }
}

/// Returns the known name nearest to `wrong`, if one is near enough to be meant.
#[must_use]
pub fn closest<'a>(wrong: &str, known: &[&'a str]) -> Option<&'a str> {
    let distance =
        |name: &str| strsim::damerau_levenshtein(&wrong.to_lowercase(), &name.to_lowercase());
    let near =
        |name: &str| distance(name) <= (wrong.chars().count().max(name.chars().count()) / 3).max(1);
    let begun = |name: &str| wrong.len() >= 2 && name.starts_with(wrong);
    known.iter().copied().filter(|name| near(name) || begun(name)).min_by_key(|name| distance(name))
}

/// Returns a hint for an unknown name: the nearest known one, or all of them.
#[must_use]
pub fn suggest(wrong: &str, known: &[&str]) -> String {
    let list = || known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match (closest(wrong, known), known.len()) {
        (Some(name), _) => format!("did you mean `{name}`?"),
        (None, 0) => "nothing can stand here".to_owned(),
        (None, 1) => format!("use {}", list()),
        (None, _) => format!("use one of {}", list()),
    }
}
