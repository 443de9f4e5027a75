//! Annotation files row by row: 700 MB of regions are never held as text or as a tree of values.

use crate::DataError;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::cell::RefCell;
use std::fmt::{Display, Formatter};
use std::fs::File;
use std::io::BufReader;
use std::marker::PhantomData;
use std::path::Path;

/// Where in a file a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At {
    /// The key of the list; empty if the file is one list.
    pub section: &'static str,
    /// From 1.
    pub row: usize,
}

impl Display for At {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self.section {
            "" => write!(f, "row {}", self.row),
            section => write!(f, "row {} of \"{section}\"", self.row),
        }
    }
}

/// How far the parser is, and an error of the callee on its way through the parser's.
#[derive(Default)]
struct Walk {
    at: Option<At>,
    failed: Option<DataError>,
}

/// What is done with a row: its place, its key if it has one, and the row.
type Each<'a, T> = &'a mut dyn FnMut(At, String, T) -> Result<(), DataError>;

/// Every row of a file that is one list.
///
/// # Errors
/// If the file cannot be read or a row does not parse (the error has the row), or the first that `each` gives.
pub(super) fn rows<T: DeserializeOwned>(
    path: &Path,
    mut each: impl FnMut(At, T) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let walk = RefCell::default();
    parse(path, &walk, Rows { walk: &walk, section: "", each: &mut |at, _, row| each(at, row), row: PhantomData })
}

/// Every row of the list `section` of a file that is an object; other keys are passed over. Says if the list is there.
///
/// # Errors
/// As [`rows`].
pub(super) fn section<T: DeserializeOwned>(
    path: &Path,
    section: &'static str,
    mut each: impl FnMut(At, T) -> Result<(), DataError>,
) -> Result<bool, DataError> {
    let (walk, mut found) = (RefCell::default(), false);
    let rows = Rows { walk: &walk, section, each: &mut |at, _, row| each(at, row), row: PhantomData };
    parse(path, &walk, Sections { rows, found: &mut found })?;
    Ok(found)
}

/// Every entry of a file that is an object of rows by id.
///
/// # Errors
/// As [`rows`].
pub(super) fn entries<T: DeserializeOwned>(
    path: &Path,
    mut each: impl FnMut(At, String, T) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let walk = RefCell::default();
    parse(path, &walk, Entries(Rows { walk: &walk, section: "", each: &mut each, row: PhantomData }))
}

fn parse(
    path: &Path,
    walk: &RefCell<Walk>,
    seed: impl for<'de> DeserializeSeed<'de, Value = ()>,
) -> Result<(), DataError> {
    let fail = |source| DataError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(fail)?;
    let mut parser = serde_json::Deserializer::from_reader(BufReader::with_capacity(1 << 20, file));
    let Err(error) = seed.deserialize(&mut parser).and_then(|()| parser.end()) else { return Ok(()) };
    let walk = walk.take();
    if let Some(failed) = walk.failed {
        return Err(failed);
    }
    if error.is_io() {
        return Err(fail(error.into()));
    }
    let place = walk.at.map_or_else(String::new, |at| format!("{at}: "));
    let hint = match error.is_eof() {
        true => "the file is cut off; get it again",
        false => "is it the file that the card's `format` is about? get it again if it is",
    };
    Err(DataError::Annotation { path: path.to_owned(), what: format!("{place}{error}"), hint: hint.to_owned() })
}

struct Rows<'a, T> {
    walk: &'a RefCell<Walk>,
    section: &'static str,
    each: Each<'a, T>,
    row: PhantomData<T>,
}

impl<T> Rows<'_, T> {
    /// Marks the row that is read next, so that an error of the parser can name it.
    fn start(&self, row: usize) -> At {
        let at = At { section: self.section, row };
        self.walk.borrow_mut().at = Some(at);
        at
    }

    fn done(&mut self, at: At, key: String, row: T) -> Result<(), DataError> {
        let result = (self.each)(at, key, row);
        self.walk.borrow_mut().at = None;
        result
    }

    fn stop<E: Error>(&self, error: DataError) -> E {
        self.walk.borrow_mut().failed = Some(error);
        E::custom("stopped")
    }
}

impl<'de, T: DeserializeOwned> DeserializeSeed<'de> for Rows<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: DeserializeOwned> Visitor<'de> for Rows<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        for row in 1.. {
            let at = self.start(row);
            let Some(value) = list.next_element()? else { break };
            self.done(at, String::new(), value).map_err(|error| self.stop(error))?;
        }
        self.walk.borrow_mut().at = None;
        Ok(())
    }
}

struct Sections<'a, 'f, T> {
    rows: Rows<'a, T>,
    found: &'f mut bool,
}

impl<'de, T: DeserializeOwned> DeserializeSeed<'de> for Sections<'_, '_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: DeserializeOwned> Visitor<'de> for Sections<'_, '_, T> {
    type Value = ();

    fn expecting(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "an object with \"{}\"", self.rows.section)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { rows, found } = self;
        while let Some(key) = map.next_key::<String>()? {
            if key != rows.section {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            if std::mem::replace(found, true) {
                return Err(A::Error::custom(format_args!("\"{key}\" is there twice")));
            }
            map.next_value_seed(Rows {
                walk: rows.walk,
                section: rows.section,
                each: &mut *rows.each,
                row: PhantomData,
            })?;
        }
        Ok(())
    }
}

struct Entries<'a, T>(Rows<'a, T>);

impl<'de, T: DeserializeOwned> DeserializeSeed<'de> for Entries<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: DeserializeOwned> Visitor<'de> for Entries<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object of rows by id")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut rows = self.0;
        for row in 1.. {
            let at = rows.start(row);
            let Some(key) = map.next_key::<String>()? else { break };
            let value = map.next_value()?;
            rows.done(at, key, value).map_err(|error| rows.stop(error))?;
        }
        Ok(())
    }
}
