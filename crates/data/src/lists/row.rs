//! A row of a list: its keys, and values that are read on demand.

use super::json_stream::{Broken, Scan};
use super::text::one_line;
use serde::de::DeserializeOwned;
use std::borrow::Cow;

/// Keys that an error names at most.
const NAMED: usize = 8;
/// Most characters of a value in an error.
const SHOWN: usize = 40;

/// The fields of one JSON object, in its order. Values nobody asks for may be anything, NaN for
/// example.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    fields: Vec<(Cow<'a, str>, &'a [u8])>,
}

impl<'a> Row<'a> {
    /// Finds the fields of an object.
    ///
    /// # Errors
    /// If the bytes are no object; says why.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, String> {
        let mut walk = Walk { bytes, at: 0 };
        if walk.peek() != Some(b'{') {
            return Err(format!("a row is an object, not {}", shown(bytes)));
        }
        walk.at += 1;
        let mut fields = Vec::new();
        if walk.peek() == Some(b'}') {
            walk.at += 1;
            return walk.end(Self { fields });
        }
        loop {
            if walk.peek() != Some(b'"') {
                return Err("the row is broken: expected a key".to_owned());
            }
            let key = text(walk.value()?)
                .map_err(|error| format!("a key of the row is no text: {error}"))?;
            walk.expect(b':')?;
            fields.push((key, walk.value()?));
            match walk.peek() {
                Some(b',') => walk.at += 1,
                Some(b'}') => {
                    walk.at += 1;
                    return walk.end(Self { fields });
                }
                _ => return Err("the row is broken: expected `,` or `}`".to_owned()),
            }
        }
    }

    /// Returns the first of `keys` that has a value other than null, and that value. Capitals in
    /// the row's keys do not matter.
    ///
    /// # Errors
    /// If the row has the key twice.
    pub fn first<'k>(&self, keys: &[&'k str]) -> Result<Option<(&'k str, &'a [u8])>, String> {
        for key in keys {
            if let Some(value) = self.values(key)?.next() {
                return Ok(Some((key, value)));
            }
        }
        Ok(None)
    }

    /// Returns every value other than null that `keys` have, in the order of `keys`. A key in
    /// capitals and in small letters has two.
    ///
    /// # Errors
    /// As [`Row::first`].
    pub fn all<'k>(&self, keys: &[&'k str]) -> Result<Vec<(&'k str, &'a [u8])>, String> {
        let mut found = Vec::new();
        for key in keys {
            found.extend(self.values(key)?.map(|value| (*key, value)));
        }
        Ok(found)
    }

    /// Returns the values of `key` that are not null.
    fn values<'s>(&'s self, key: &'s str) -> Result<impl Iterator<Item = &'a [u8]> + 's, String> {
        let named =
            move || self.fields.iter().filter(move |(name, _)| name.eq_ignore_ascii_case(key));
        let again = |(at, (name, _)): (usize, &(Cow<'a, str>, &[u8]))| {
            named().skip(at + 1).any(|(other, _)| other == name)
        };
        if named().enumerate().any(again) {
            return Err(format!("`{key}` is there twice"));
        }
        Ok(named().map(|(_, value)| *value).filter(|value| *value != b"null"))
    }

    /// Returns the same as [`Row::first`], where a value must be there.
    ///
    /// # Errors
    /// As [`Row::first`], and if none is there: says which keys are.
    pub fn need<'k>(&self, keys: &[&'k str]) -> Result<(&'k str, &'a [u8]), String> {
        self.first(keys)?.ok_or_else(|| self.lacks(keys.first().copied().unwrap_or_default()))
    }

    /// Returns the message that a key is missing: "has no `caption`; it has `captions`".
    pub fn lacks(&self, key: &str) -> String {
        if self.fields.iter().any(|(name, _)| name == key) {
            return format!("has no `{key}`: it is null");
        }
        format!("has no `{key}`; it has {}", self.names())
    }

    /// Shows the row's keys.
    pub fn names(&self) -> String {
        let named =
            self.fields.iter().take(NAMED).map(|(name, _)| format!("`{}`", one_line(&clip(name))));
        let mut named: Vec<String> = named.collect();
        match self.fields.len() {
            0 => return "no key".to_owned(),
            all if all > NAMED => named.push(format!("{} more", all - NAMED)),
            _ => {}
        }
        named.join(", ")
    }

    /// Returns `true` if every key is among `known`.
    pub fn has_only(&self, known: &[&[&str]]) -> bool {
        let is_known = |name: &str| {
            known.iter().any(|keys| keys.iter().any(|key| name.eq_ignore_ascii_case(key)))
        };
        self.fields.iter().all(|(name, _)| is_known(name))
    }

    /// Returns the keys of the row.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|(name, _)| name.as_ref())
    }

    /// Returns the keys of the row and their values.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &'a [u8])> {
        self.fields.iter().map(|(name, value)| (name.as_ref(), *value))
    }
}

/// Returns the elements of a list.
///
/// # Errors
/// If the bytes are no list.
pub(crate) fn elements(bytes: &[u8]) -> Result<Vec<&[u8]>, String> {
    let mut walk = Walk { bytes, at: 0 };
    walk.expect(b'[')?;
    let mut found = Vec::new();
    if walk.peek() == Some(b']') {
        walk.at += 1;
        return walk.end(found);
    }
    loop {
        found.push(walk.value()?);
        match walk.peek() {
            Some(b',') => walk.at += 1,
            Some(b']') => {
                walk.at += 1;
                return walk.end(found);
            }
            _ => return Err("a list of the row is broken: expected `,` or `]`".to_owned()),
        }
    }
}

/// Reads a JSON text; borrows it where it has no escapes.
///
/// # Errors
/// Reasons without a place: a value here has no lines.
pub(crate) fn text(bytes: &[u8]) -> Result<Cow<'_, str>, String> {
    if let [b'"', inner @ .., b'"'] = bytes
        && !inner.iter().any(|&b| b == b'\\' || b == b'"' || b < 0x20)
    {
        return std::str::from_utf8(inner)
            .map(Cow::Borrowed)
            .map_err(|_| "it is no UTF-8".to_owned());
    }
    parsed::<String>(bytes).map(Cow::Owned)
}

/// Reads a value as `T`.
///
/// # Errors
/// As [`text`].
pub(crate) fn parsed<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|error| {
        let message = error.to_string();
        message.split(" at line ").next().unwrap_or(&message).to_owned()
    })
}

/// Reads the text of the value of `key`.
///
/// # Errors
/// If it is no text; the message contains it.
pub(crate) fn text_of(key: &str, value: &[u8]) -> Result<String, String> {
    if value.first() != Some(&b'"') {
        return Err(format!("`{key}` is {}, not a text", shown(value)));
    }
    text(value).map(Cow::into_owned).map_err(|error| {
        let why = if error.contains("surrogate") || error.contains("hex escape") {
            "half of a character"
        } else {
            &error
        };
        format!("`{key}` is no text: {why}, in {}", shown(value))
    })
}

/// Shows a value as it stands in the file, shortened to one line.
pub(crate) fn shown(value: &[u8]) -> String {
    one_line(&clip(&String::from_utf8_lossy(&value[..value.len().min(4 * SHOWN)])))
}

fn clip(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}..", &text[..end]),
        None => text.to_owned(),
    }
}

struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Walk<'a> {
    /// Returns the next byte that is no white space; the walk stands on it.
    fn peek(&mut self) -> Option<u8> {
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        self.bytes.get(self.at).copied()
    }

    fn expect(&mut self, byte: u8) -> Result<(), String> {
        if self.peek() != Some(byte) {
            return Err(format!("the row is broken: expected `{}`", char::from(byte)));
        }
        self.at += 1;
        Ok(())
    }

    fn value(&mut self) -> Result<&'a [u8], String> {
        self.peek();
        let (mut scan, rest) = (Scan::default(), &self.bytes[self.at..]);
        let used = scan.feed(rest).map_err(|broken| match broken {
            Broken::Syntax(what) => format!("the row is broken: {what}"),
            _ => "the row is broken".to_owned(),
        })?;
        if !scan.done {
            return Err("the row is cut off".to_owned());
        }
        self.at += used;
        Ok(&rest[..used])
    }

    /// Gives `found` if nothing but white space is left.
    fn end<T>(mut self, found: T) -> Result<T, String> {
        match self.peek() {
            None => Ok(found),
            Some(_) => Err("the row is broken: something follows it".to_owned()),
        }
    }
}
