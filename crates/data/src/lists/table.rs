//! CSV and TSV files, row by row.

use super::keys::{ANSWER, CAPTION, IMAGE_ID, PICTURE, QUESTION};
use super::text::open_text;
use crate::DataError;
use csv::{ByteRecord, Reader, ReaderBuilder};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

const BLOCK: usize = 1 << 18;
/// Lines of one cell. More come of a quote that is not closed.
const MOST_LINES: usize = 200;

/// A table that is open.
pub(crate) struct Table {
    reader: Reader<BufReader<File>>,
    /// The first record, where it is no heading.
    first: Option<(usize, ByteRecord)>,
    /// The columns' names in small letters; empty without a heading.
    pub heading: Vec<String>,
    path: std::path::PathBuf,
}

/// The cells of a row, or what is wrong with it.
pub(crate) type Cells = Result<Vec<String>, String>;

impl Table {
    /// Opens a file and reads its heading. A first row with none of the usual names, and none of
    /// `further`, is no heading.
    ///
    /// # Errors
    /// If it cannot be read or is UTF-16.
    pub fn open(path: &Path, further: &[&str]) -> Result<Self, DataError> {
        let tabs = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("tsv"));
        let separators: &[u8] = if tabs { b"\t" } else { b",;\t|" };
        for &separator in separators {
            let mut table = Self::with(path, separator, true)?;
            let Some((line, record)) = table.record()? else { continue };
            let names: Vec<String> = record
                .iter()
                .map(|cell| String::from_utf8_lossy(cell).trim().to_lowercase())
                .collect();
            let known = |name: &String| {
                is_one_of(name, PICTURE)
                    || is_caption(name)
                    || is_one_of(name, QUESTION)
                    || is_one_of(name, further)
            };
            if names.iter().any(known) && names.len() > 1 {
                table.heading = names;
                return Ok(table);
            }
            // Only of tables that tools wrote the quotes are quotes.
            if separators.len() == 1 || record.len() == 2 {
                let mut table = Self::with(path, separator, false)?;
                table.first = table.record()?.or(Some((line, record)));
                return Ok(table);
            }
        }
        Self::with(path, separators[0], true)
    }

    fn with(path: &Path, separator: u8, quotes: bool) -> Result<Self, DataError> {
        let reader = ReaderBuilder::new()
            .delimiter(separator)
            .quoting(quotes)
            .has_headers(false)
            .flexible(true)
            .from_reader(open_text(path, BLOCK)?);
        Ok(Self { reader, first: None, heading: vec![], path: path.to_owned() })
    }

    fn record(&mut self) -> Result<Option<(usize, ByteRecord)>, DataError> {
        let mut record = ByteRecord::new();
        let fail =
            |error: csv::Error| DataError::Read { path: self.path.clone(), source: error.into() };
        let more = self.reader.read_byte_record(&mut record).map_err(fail)?;
        let before = record.position().map_or(1, csv::Position::line);
        // Blank lines before a record count as its own there; its end is known better.
        let inside = record.as_slice().iter().filter(|&&b| b == b'\n').count() as u64;
        let line = before.max(self.reader.position().line().saturating_sub(inside + 1));
        let line = usize::try_from(line).unwrap_or(usize::MAX);
        Ok(more.then_some((line, record)))
    }

    /// Returns the next row and the line it begins in.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn row(&mut self) -> Result<Option<(usize, Cells)>, DataError> {
        let next = match self.first.take() {
            Some(first) => Some(first),
            None => self.record()?,
        };
        Ok(next.map(|(line, record)| (line, cells(&record, self.heading.len()))))
    }

    /// Takes the column `name` for the paths of pictures, or for captions, and no other.
    ///
    /// # Errors
    /// With the names that there are, if there is none.
    pub fn take(
        &mut self,
        name: &str,
        keys: &[&str],
        is_other: fn(&str) -> bool,
    ) -> Result<(), String> {
        let name = name.to_lowercase();
        if !self.heading.contains(&name) {
            let has: Vec<String> = self.heading.iter().map(|name| format!("`{name}`")).collect();
            return Err(format!("no column is called `{name}`; there are {}", has.join(", ")));
        }
        for heading in &mut self.heading {
            if *heading == name {
                *heading = keys[0].to_owned();
            } else if is_other(heading) {
                heading.clear();
            }
        }
        Ok(())
    }

    /// Returns the column with the path of the picture.
    pub fn picture(&self) -> Option<usize> {
        PICTURE
            .iter()
            .chain(IMAGE_ID)
            .find_map(|key| self.heading.iter().position(|name| name == key))
    }

    /// Returns the columns with captions, those of one meaning together; the numbered ones
    /// (`caption_1`) are with `caption`.
    pub fn captions(&self) -> Vec<Vec<usize>> {
        let mut found: Vec<Vec<usize>> = CAPTION.iter().map(|keys| self.columns(keys)).collect();
        found[0].extend((0..self.heading.len()).filter(|&at| is_numbered(&self.heading[at])));
        found.retain(|columns| !columns.is_empty());
        found
    }

    /// Returns the column of questions and those of their answers.
    pub fn questions(&self) -> Option<(usize, Vec<usize>)> {
        let answers = self.columns(ANSWER);
        let question = *self.columns(QUESTION).first()?;
        (!answers.is_empty()).then_some((question, answers))
    }

    /// Returns the columns with one of the names `keys`, in the order of `keys`.
    fn columns(&self, keys: &[&str]) -> Vec<usize> {
        let called = |key: &&str| {
            (0..self.heading.len()).filter(|&at| self.heading[at] == *key).collect::<Vec<_>>()
        };
        keys.iter().flat_map(called).collect()
    }
}

/// Returns `true` for a usual name of the path or the id of a picture.
pub(crate) fn is_picture_name(name: &str) -> bool {
    is_one_of(name, PICTURE) || is_one_of(name, IMAGE_ID)
}

fn is_one_of(name: &str, keys: &[&str]) -> bool {
    keys.contains(&name)
}

/// Returns `true` for a usual name of captions.
pub(crate) fn is_caption(name: &str) -> bool {
    CAPTION.iter().any(|keys| is_one_of(name, keys)) || is_numbered(name)
}

/// Returns `true` if a name is `caption_1`, `caption 1` or `caption1`.
pub(crate) fn is_numbered(name: &str) -> bool {
    let rest = name.strip_prefix("caption").map(|rest| rest.trim_start_matches(['_', ' ', '-']));
    rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
}

fn cells(record: &ByteRecord, columns: usize) -> Cells {
    if columns > 0 && record.len() > columns {
        return Err(format!(
            "{} columns, not {columns}: is a separator inside a text without quotes?",
            record.len()
        ));
    }
    let cell = |cell: &[u8]| {
        let text = std::str::from_utf8(cell).map_err(|_| "not UTF-8 text".to_owned())?;
        match text.bytes().filter(|&b| b == b'\n').count() {
            lines if lines > MOST_LINES => {
                Err(format!("a text of {lines} lines: is a quote not closed?"))
            }
            _ => Ok(text.to_owned()),
        }
    };
    record.iter().map(cell).collect()
}
